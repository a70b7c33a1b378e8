"""Options of the composing controls, built from the fields of `Brief`; spans and numbers in options."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any, Optional, TypeVar, get_type_hints

import typer

from troubadour.core.errors import InputError
from troubadour.generation.control_spec import Control, controls_of, parse_request
from troubadour.generation.request import Brief

B = TypeVar("B", bound=Brief)


def control_parameters(request: type[Brief] = Brief, *, to_piece: bool = False) -> list[inspect.Parameter]:
    """The controls of a request type as parameters of a command.

    Args:
        to_piece: whether the command composes to a given piece, which decides some of the controls.
    """
    return [
        inspect.Parameter(
            control.name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=None if control.spec.parse else control.default,
            annotation=_option(control),
        )
        for control in controls_of(request)
        if not (to_piece and control.spec.from_piece)
    ]


def take_brief(words: dict[str, Any], request: type[B], *, to_piece: bool = False) -> B:
    """Take the controls out of a command's arguments, as a request.

    Args:
        to_piece: as for `control_parameters`; the command may then have options of its own with these names.

    Raises:
        InputError: a value cannot be read or is out of range; the message says what is allowed.
    """
    names = [parameter.name for parameter in control_parameters(request, to_piece=to_piece)]
    return parse_request(request, {name: words.pop(name) for name in names})


def with_controls(own: Callable[..., Any], more: Callable[..., Any]) -> list[inspect.Parameter]:
    """Parameters of a command to a given piece: its own, the controls, and those of `more`."""
    return [*parameters_of(own), *control_parameters(to_piece=True), *parameters_of(more)]


def parameters_of(command: Callable[..., Any]) -> list[inspect.Parameter]:
    """Parameters of a function, their annotations evaluated."""
    hints = get_type_hints(command, {**globals(), **command.__globals__}, include_extras=True)
    return [p.replace(annotation=hints[p.name]) for p in inspect.signature(command).parameters.values()]


def give_signature(command: Callable[..., Any], parameters: list[inspect.Parameter]) -> None:
    """Set the signature that Typer reads."""
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}


def span_of(text: str | None) -> tuple[int, int] | None:
    """`5-8` or `5` as the first and last bar.

    Raises:
        InputError: it is neither.
    """
    if text is None:
        return None
    first, _, last = text.partition("-")
    if not first.isdigit() or not (last or first).isdigit():
        raise InputError(f"bars are '{text}'; allowed: one bar or two, such as 5 or 5-8")
    return int(first), int(last or first)


def numbers_of(text: str | None) -> tuple[int, ...]:
    """`2,3` as numbers.

    Raises:
        InputError: a part is not a number.
    """
    words = [] if text is None else text.split(",")
    if not all(w.strip().isdigit() for w in words):
        raise InputError(f"voices are '{text}'; allowed: numbers from 1, such as 2,3")
    return tuple(int(w) for w in words)


def _option(control: Control) -> Any:
    """The annotation from which Typer makes an option."""
    kind, name = control.type, control.option
    if control.spec.parse is not None:
        kind = list[str] if control.spec.repeated else str
    if kind is bool and control.default is None:
        name = f"{name}/--no-{name.removeprefix('--')}"
    optional = control.default is None or control.spec.parse is not None
    return Annotated[Optional[kind] if optional else kind, typer.Option(name, help=control.help)]  # noqa: UP045
