"""From a name to a class, through entry points.

Built-ins and plugins register alike, in the groups `troubadour.composers`, `troubadour.recommenders`
and `troubadour.renderers` of a package's metadata. Nothing is imported before it is asked for.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, Literal, get_args

from troubadour.core.errors import InputError, MissingExtraError, NotFoundError

Kind = Literal["composers", "recommenders", "renderers"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


def names(kind: Kind, *, entries: Iterable[EntryPoint] | None = None) -> tuple[str, ...]:
    """The registered names, sorted; nothing is imported.

    Args:
        kind: one of `KINDS`.
        entries: where to look; without it what is installed.

    Raises:
        InputError: no such kind.
    """
    return tuple(sorted(_entries(kind, entries)))


def find(kind: Kind, name: str, *, entries: Iterable[EntryPoint] | None = None) -> Any:
    """The class registered as `name`.

    Args:
        kind: one of `KINDS`.
        name: one of `names(kind)`.
        entries: where to look; without it what is installed.

    Raises:
        InputError: no such kind, or two packages register the name.
        NotFoundError: nobody registers the name; the message lists those that exist.
        MissingExtraError: it is registered, but something that it needs is not installed.

    >>> find("recommenders", "ease").__name__
    'EaseRecommender'
    """
    registered = _entries(kind, entries)
    if name not in registered:
        if not registered:
            raise NotFoundError(f"no {kind} are registered; install the package: pip install -e .")
        near = difflib.get_close_matches(name, registered, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        known = ", ".join(sorted(registered))
        raise NotFoundError(f"{name!r} is not one of the {kind}{hint}; known: {known}")
    claims = registered[name]
    if len(claims) > 1:
        raise InputError(f"{name!r} is registered twice among the {kind}: {', '.join(sorted(claims))}")
    entry = next(iter(claims.values()))
    try:
        return entry.load()
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"{kind} {name!r} ({entry.value}) needs {error.name}: install it") from error


@cache
def _installed(group: str) -> tuple[EntryPoint, ...]:
    """What is installed, read once: it takes the metadata of every package."""
    return tuple(entry_points(group=group))


def _entries(kind: Kind, entries: Iterable[EntryPoint] | None) -> dict[str, dict[str, EntryPoint]]:
    """Name to what claims it: value (`module:class`) to entry point."""
    if kind not in KINDS:
        raise InputError(f"kind is {kind!r}; allowed: {', '.join(KINDS)}")
    found: dict[str, dict[str, EntryPoint]] = {}
    group = f"troubadour.{kind}"
    for entry in _installed(group) if entries is None else entries:
        if entry.group == group:
            # One package seen through two folders of the path claims a name once.
            found.setdefault(entry.name, {})[entry.value] = entry
    return found
