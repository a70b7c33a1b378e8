"""Limit on the threads of numpy's linear algebra."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any


def one_thread() -> AbstractContextManager[Any]:
    """Context manager that runs linear algebra in the calling thread.

    For small products beside other work: one recommendation takes a fraction of a millisecond, and
    splitting it over two threads on a busy machine made it ten times slower. Safe for concurrent use;
    the limit may then last until the last context is left.
    """
    limit: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return limit


@cache
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
