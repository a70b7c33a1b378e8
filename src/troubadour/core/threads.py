"""How many threads numpy's linear algebra takes."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any


def one_thread() -> AbstractContextManager[Any]:
    """Within it, linear algebra runs in the calling thread.

    For small work beside other work: the products of one recommendation take a fraction of a
    millisecond, and handing half of each to a second thread on a busy machine made them ten
    times as slow. Concurrent use is safe; the limit may then outlast the first to leave.
    """
    limit: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return limit


@cache
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
