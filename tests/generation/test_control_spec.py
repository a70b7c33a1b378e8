"""One declaration of a control reaches the command line, REST and the page."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, Any

import pytest
import typer
import typer.main
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import ValidationError

from troubadour.cli.controls import control_parameters, give_signature, take_brief
from troubadour.core.errors import InputError
from troubadour.generation.control_spec import ControlSpec, controls_of, describe, parse_request
from troubadour.generation.request import Brief
from troubadour.music.instruments import program_of
from troubadour.music.quantise import METRONOME
from troubadour.music.score import MODES
from troubadour.server.compose import request_model, routes
from troubadour.tokens import vocabulary as vocab


def _parts(value: Any) -> tuple[tuple[str, int], ...]:
    pairs = [text.split("=") for text in value] if value and isinstance(value[0], str) else value
    return tuple((str(role), program_of(str(name))) for role, name in pairs)


@dataclass(frozen=True, slots=True)
class Wider(Brief):
    """A brief with a number and a structured control more."""

    swing: Annotated[float | None, ControlSpec("Share of swing.", label="Swing", low=0, high=1)] = None
    parts: Annotated[
        tuple[tuple[str, int], ...] | None,
        ControlSpec(
            "Role and instrument of a part.",
            option="part",
            parse=_parts,
            show=lambda parts: [list(part) for part in parts],
            wire=list[tuple[str, str]],
            repeated=True,
            from_piece=True,
        ),
    ] = None


class FakeStudio:
    """What the routes need of a studio to describe controls and to receive a request."""

    def __init__(self) -> None:
        self.asked: list[Brief] = []
        self.composer = self

    styles = ("jig",)

    def models(self) -> FakeStudio:
        return self

    def compose(self, brief: Brief, **_: Any) -> Any:
        self.asked.append(brief)
        raise InputError("composed")


def command_of(request: type[Brief], seen: list[Brief]) -> Any:
    app = typer.Typer()

    def command(**words: Any) -> None:
        seen.append(take_brief(words, request))

    give_signature(command, control_parameters(request))
    app.command()(command)
    return typer.main.get_command(app)


def run(request: type[Brief], *words: str) -> Brief:
    seen: list[Brief] = []
    command_of(request, seen).main(list(words), standalone_mode=False)
    return seen[0]


def test_a_declared_control_is_an_option() -> None:
    brief = run(Wider, "--swing", "0.5", "--part", "melody=flute", "--part", "bass=cello", "--bars", "8")
    assert brief == Wider(swing=0.5, parts=(("melody", 73), ("bass", 42)), bars=8)
    options = {name for p in command_of(Wider, []).params for name in p.opts}
    assert {"--swing", "--part"} <= options
    assert not {"--swing", "--part"} & {name for p in command_of(Brief, []).params for name in p.opts}
    to_piece = {p.name for p in control_parameters(Wider, to_piece=True)}
    assert "swing" in to_piece
    assert "parts" not in to_piece
    # A task has `--bars` of its own.
    words = {p.name: p.default for p in control_parameters(Wider, to_piece=True)} | {"bars": "5-8"}
    assert take_brief(words, Wider, to_piece=True) == Wider()
    assert words == {"bars": "5-8"}
    with pytest.raises(InputError, match=r"swing is 2\.0; allowed: 0 to 1"):
        run(Wider, "--swing", "2")


def test_a_declared_control_is_in_rest_and_its_schema_and_on_the_page() -> None:
    studio = FakeStudio()
    app = FastAPI()
    app.include_router(routes(studio, Wider))  # type: ignore[arg-type]
    client = TestClient(app, raise_server_exceptions=False)
    schema = client.get("/openapi.json").json()["components"]["schemas"]["ComposeRequest"]["properties"]
    assert (schema["swing"]["minimum"], schema["swing"]["maximum"]) == (0, 1)
    assert schema["swing"]["description"] == "Share of swing. Allowed: 0 to 1."
    found = {c["name"]: c for c in client.get("/api/controls").json()["controls"]}
    swing = {"option": "swing", "kind": "number", "label": "Swing", "min": 0, "max": 1, "group": "more"}
    assert found["swing"].items() >= swing.items()
    assert found["style"]["choices"] == ["jig"]
    client.post("/api/compose", json={"swing": 0.25, "parts": [["melody", "flute"]], "key": "Am"})
    assert studio.asked == [Wider(swing=0.25, parts=(("melody", 73),), key=(0, "minor"))]
    with pytest.raises(ValidationError, match="swing"):
        request_model(Brief)(swing=0.5)


def test_every_field_is_a_control_with_a_help_text_and_a_label() -> None:
    assert [c.name for c in controls_of(Brief)] == [f.name for f in fields(Brief)]
    for control in describe(Brief):
        assert control["help"].endswith(".")
        assert control["label"]


@pytest.mark.parametrize("name", [c.name for c in controls_of(Brief)])
def test_each_control_passes_through_every_face(name: str) -> None:
    control = next(c for c in controls_of(Brief) if c.name == name)
    value: Any = control.spec.example or {"boolean": True, "integer": 6, "number": 1.5}.get(control.kind)
    value = {"tempo_bpm": 90.0, "top_p": 0.5, "strict": True}.get(name, value)
    words = [control.option] if value is True else [control.option, str(value)]
    brief = run(Brief, *words)
    assert getattr(brief, name) is not None
    assert request_model(Brief)(**{name: value}).brief() == brief
    # JSON of a brief reads back, as the page and a client send it again.
    assert request_model(Brief)(**brief.controls()).brief() == brief
    schema = request_model(Brief).model_json_schema()["properties"][name]
    assert schema["description"] == control.help
    assert schema.get("maximum") == control.spec.high


def test_the_ranges_are_those_of_vocabulary_and_metronome() -> None:
    found = {c.name: (c.spec.low, c.spec.high) for c in controls_of(Brief)}
    assert found["bars"] == (1, vocab.MAX_BARS)
    assert found["density"] == (0, vocab.N_DENSITIES - 1)
    assert found["tempo_bpm"] == (METRONOME[0], METRONOME[-1])
    for mode in MODES:
        assert Brief(key=(0, mode)).key == (0, mode)
    for denominator in vocab.DENOMINATORS:
        assert Brief(metre=(max(1, denominator // 4), denominator)).metre


def test_open_texts_leave_a_control_open() -> None:
    assert parse_request(Brief, {"key": "", "style": "", "notes": None}) == Brief()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"instruments": ["kazoo"]}, "instrument is 'kazoo'"),
        ({"ranges": "60"}, "range is '60'"),
        ({"ranges": [[70, 60]]}, "range is 70 to 60"),
        ({"ranges": [[70]]}, "two notes"),
        ({"notes": "1:0:D4"}, "given note is '1:0:D4'"),
        ({"notes": "1:1e999:1:D4"}, "given note is"),
        ({"lowest": "H2"}, "note is 'H2'"),
        ({"lowest": 200}, "lowest is 200; allowed: 0 to 127"),
        ({"max_common": 3}, "max_common is 3; allowed: 6 to 64 notes"),
        ({"guidance": float("nan")}, "guidance is nan; allowed: 1 to 4"),
    ],
)
def test_a_value_that_cannot_be_read_is_refused_with_what_is_allowed(
    values: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        parse_request(Brief, values)
