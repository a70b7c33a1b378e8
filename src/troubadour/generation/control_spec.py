"""Metadata of the composing controls, and what is derived from it: range checks, JSON, a description for forms.

A control is declared once, as an annotated field of the request:

    bars: Annotated[int | None, ControlSpec("Number of bars.", low=1, high=64)] = None

The command line, the REST model and the form of the page are built from these fields. Imports nothing
heavy: the command line reads the declarations each time it starts.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from troubadour.core.errors import InputError

T = TypeVar("T")
Kind = Literal["boolean", "integer", "number", "choice", "text"]


@dataclass(frozen=True, slots=True)
class ControlSpec:
    """What a control means, what it allows, and how it is written."""

    help: str
    """One sentence for the command line, OpenAPI and the page."""
    label: str = ""
    """Label in a form; without it the name of the field."""
    option: str = ""
    """Name on the command line and in messages; without it the name of the field."""
    low: float | None = None
    """Least value, inclusive; of a tuple of numbers, that of each."""
    high: float | None = None
    """Greatest value, inclusive."""
    above: bool = False
    """Whether `low` itself is excluded."""
    unit: str = ""
    step: float | None = None
    """Step of a form's number field."""
    choices: tuple[str, ...] = ()
    """All values that are allowed."""
    choices_of: str = ""
    """Name of a list of allowed values that only the running service knows, such as `styles`."""
    suggestions: tuple[str, ...] = ()
    """Some values to offer in a form; others are allowed."""
    example: str = ""
    """A value as a person writes it."""
    parse: Callable[[Any], Any] | None = None
    """From text, or from a value of `wire`, to the value of the field."""
    show: Callable[[Any], Any] | None = None
    """From the value of the field to JSON; the inverse of `parse`."""
    check: Callable[[Any], None] | None = None
    """Raises `InputError` for a value that the range alone does not exclude."""
    wire: Any = None
    """Type of the value in JSON; without it the field's, or text where there is `parse`."""
    repeated: bool = False
    """Whether the option is given once for each entry; `parse` then takes a list of texts."""
    group: Literal["main", "more"] = "more"
    """Part of the form."""
    from_piece: bool = False
    """Whether a given piece decides it, so that tasks do not take it."""
    always_shown: bool = False
    """Whether JSON holds it at its default, too."""
    labels: tuple[str, str] = ("yes", "no")
    """Form labels of true and false."""


@dataclass(frozen=True, slots=True)
class Control:
    """One declared control."""

    name: str
    """Of the field, and in JSON."""
    type: Any
    """Of the field, without `None`."""
    default: Any
    spec: ControlSpec

    @property
    def word(self) -> str:
        """Name in messages."""
        return self.spec.option or self.name

    @property
    def option(self) -> str:
        """Name on the command line: `--max-common`."""
        return "--" + self.word.replace("_", "-")

    @property
    def kind(self) -> Kind:
        """Kind of form field."""
        if self.spec.choices or self.spec.choices_of:
            return "choice"
        kinds: dict[Any, Kind] = {bool: "boolean", int: "integer", float: "number"}
        return "text" if self.spec.parse else kinds.get(self.type, "text")

    @property
    def wire(self) -> Any:
        """Type of the value in JSON, without `None`."""
        return self.spec.wire or (str if self.spec.parse else self.type)

    @property
    def allowed(self) -> str:
        """The range in words, empty without one: `1 to 64`, `above 0 to 1`."""
        low, high = self.spec.low, self.spec.high
        if low is None or high is None:
            return ", ".join(self.spec.choices)
        return f"{'above ' if self.spec.above else ''}{low:g} to {high:g}{self.spec.unit and ' '}{self.spec.unit}"

    @property
    def help(self) -> str:
        """Help text with the range."""
        return self.spec.help + (f" Allowed: {self.allowed}." if self.allowed else "")

    def verify(self, value: Any) -> None:
        """Check a value of the field.

        Raises:
            InputError: it is out of range.
        """
        spec = self.spec
        if spec.choices and value not in spec.choices:
            raise InputError(f"{self.word} is '{value}'; allowed: {self.allowed}")
        if spec.low is not None and spec.high is not None:
            # Written so that NaN is refused, too.
            inside = spec.low <= value <= spec.high and not (spec.above and value == spec.low)
            if not inside:
                raise InputError(f"{self.word} is {value}; allowed: {self.allowed}")
        if spec.check is not None:
            spec.check(value)

    def describe(self, lists: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        """Description for a form, JSON-able.

        Args:
            lists: what `choices_of` names.
        """
        spec = self.spec
        found = {
            "name": self.name,
            "option": self.word,
            "kind": self.kind,
            "label": spec.label or self.name.replace("_", " ").capitalize(),
            "help": self.help,
            "group": spec.group,
            "default": None if self.default in (None, ()) else self.default,
            "min": spec.low,
            "max": spec.high,
            "step": spec.step,
            "example": spec.example or None,
            "choices": list(spec.choices or lists.get(spec.choices_of, ())) or None,
            "suggestions": list(spec.suggestions) or None,
            "labels": list(spec.labels) if self.kind == "boolean" else None,
        }
        return {key: value for key, value in found.items() if value is not None}


def controls_of(request: type[Any]) -> tuple[Control, ...]:
    """The controls that a request type declares, in the order of its fields."""
    hashable: Any = request
    return _controls(hashable)


def verify(request: Any) -> None:
    """Check each control of a request against its declaration.

    Raises:
        InputError: a value is out of range.
    """
    for control in controls_of(type(request)):
        value = getattr(request, control.name)
        if value is not None and value != control.default:
            control.verify(value)


def parse_request(request: type[T], values: Mapping[str, Any]) -> T:
    """A request from texts or JSON values by field name; `None` and empty text leave a control open.

    Raises:
        InputError: a value cannot be read or is out of range.
    """
    given = {}
    for control in controls_of(request):
        value = values.get(control.name)
        if value is None or value == "" or value == []:
            continue
        given[control.name] = value if control.spec.parse is None else control.spec.parse(value)
    return request(**given)


def to_json(request: Any) -> dict[str, Any]:
    """The controls of a request that are set or decided, for JSON."""
    out: dict[str, Any] = {}
    for control in controls_of(type(request)):
        value = getattr(request, control.name)
        if value == control.default and not control.spec.always_shown:
            continue
        out[control.name] = value if control.spec.show is None else control.spec.show(value)
    return out


def describe(request: type, lists: Mapping[str, Sequence[str]] | None = None) -> list[dict[str, Any]]:
    """All controls of a request type for a form, JSON-able; see `Control.describe`."""
    return [control.describe(lists or {}) for control in controls_of(request)]


@cache
def _controls(request: Any) -> tuple[Control, ...]:
    hints = get_type_hints(request, include_extras=True)
    found = []
    for field in fields(request):
        annotated = hints[field.name]
        for spec in getattr(annotated, "__metadata__", ()):
            if isinstance(spec, ControlSpec):
                found.append(Control(field.name, _without_none(annotated.__origin__), field.default, spec))
    return tuple(found)


def _without_none(kind: Any) -> Any:
    if get_origin(kind) in (Union, types.UnionType):
        rest = tuple(arg for arg in get_args(kind) if arg is not type(None))
        return Union[rest]  # noqa: UP007
    return kind
