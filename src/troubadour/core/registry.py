"""Registry of composers, recommenders and renderers, based on entry points.

Built-ins and plugins register in the same groups of a package's metadata: `troubadour.composers`,
`troubadour.recommenders` and `troubadour.renderers`. A class is imported only when it is looked up.
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
    """Registered names, sorted. Imports no plugin.

    Args:
        kind: one of `KINDS`.
        entries: entry points to search. Default: those of all installed packages.

    Raises:
        InputError: `kind` is unknown.
    """
    return tuple(sorted(_entries(kind, entries)))


def find(kind: Kind, name: str, *, entries: Iterable[EntryPoint] | None = None) -> Any:
    """Class registered under `name`.

    Args:
        kind: one of `KINDS`.
        name: one of `names(kind)`.
        entries: entry points to search. Default: those of all installed packages.

    Raises:
        InputError: `kind` is unknown, or two packages register the name.
        NotFoundError: no package registers the name; the message lists the registered names.
        MissingExtraError: a module that the class needs is not installed.

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
    """Installed entry points of a group, cached: reading them opens the metadata of every package."""
    return tuple(entry_points(group=group))


def _entries(kind: Kind, entries: Iterable[EntryPoint] | None) -> dict[str, dict[str, EntryPoint]]:
    """Entry points by name, then by value (`module:class`)."""
    if kind not in KINDS:
        raise InputError(f"kind is {kind!r}; allowed: {', '.join(KINDS)}")
    found: dict[str, dict[str, EntryPoint]] = {}
    group = f"troubadour.{kind}"
    for entry in _installed(group) if entries is None else entries:
        if entry.group == group:
            # One package that is found through two folders of `sys.path` counts once.
            found.setdefault(entry.name, {})[entry.value] = entry
    return found
