"""The page in a real browser. Browser errors and requests to other hosts fail a test."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from troubadour.app.studio import Studio
from troubadour.generation.control_spec import describe
from troubadour.generation.request import Brief
from troubadour.similarity.melody_search.lines import query_skyline

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

pytestmark = pytest.mark.browser

# Without these options the browser contacts its maker's hosts at every start.
QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
QUIET += ["--disable-gpu", "--disable-quic"]
KEYS = ["C", "C sharp", "D", "D sharp", "E", "F", "F sharp", "G", "G sharp", "A", "A sharp", "B"]


@dataclass
class Watch:
    """Console errors, requested hosts and refused requests of the browser."""

    complaints: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    expected: list[int] = field(default_factory=list)
    """HTTP statuses that a test provokes."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        reason = f"no {', '.join(names)} on the PATH; on Debian: apt-get install chromium"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def page(chromium: Any, port: int, watch: Watch) -> Iterator[Any]:
    home = f"http://127.0.0.1:{port}"
    context = chromium.new_context(base_url=home, viewport={"width": 1440, "height": 900})
    context.set_default_timeout(20_000)
    opened = context.new_page()
    # The browser also logs refusals as errors; they are counted by their status instead.
    opened.on(
        "console",
        lambda m: (
            watch.complaints.append(m.text)
            if m.type in ("error", "warning") and "Failed to load resource" not in m.text
            else None
        ),
    )
    opened.on("pageerror", lambda e: watch.complaints.append(str(e)))
    opened.on(
        "request",
        lambda r: watch.others.append(r.url) if not r.url.startswith((home, "data:", "blob:")) else None,
    )
    opened.on("response", lambda r: watch.refused.append(r.status) if r.status >= 400 else None)
    yield opened
    context.close()
    assert watch.complaints == []
    assert watch.others == []
    assert watch.refused == watch.expected


def titles(page: Any) -> list[str]:
    found: list[str] = page.locator("#lists .title").all_inner_texts()
    return found


def entry(page: Any, title: str) -> Any:
    """Entries of the current lists with exactly this title."""
    return page.locator("#lists .title").filter(has_text=re.compile(f"^\\s*{re.escape(title)}\\s*$"))


def play(page: Any, piece: str) -> None:
    """Start the player once it has a source. The promise of `play` is not awaited: it may never resolve, and
    `evaluate` has no timeout.
    """
    expect(page.locator("#player")).to_have_attribute("src", re.compile(piece))
    page.evaluate("() => { document.getElementById('player').play().catch(() => {}); }")


@pytest.fixture(autouse=True, scope="module")
def patience() -> None:
    expect.set_options(timeout=20_000)


@pytest.mark.slow
def test_a_piece_grows_bar_by_bar_is_engraved_played_and_liked(page: Any, studio: Studio) -> None:
    page.goto("/#listeners?listener=sim-0002")
    expect(page.locator("#lists li")).to_have_count(10)
    page.get_by_role("link", name="Compose for them").click()
    page.locator("#brief [name=style]").select_option("jig")
    page.get_by_label("Bars").fill("8")
    page.locator("#brief [name=key]").fill("D")
    page.get_by_role("button", name="Compose", exact=True).click()
    expect(page.locator("#title")).to_contain_text("Jig in D major")
    assert page.locator("#growing rect").count() >= 8
    expect(page.locator("#score svg g.note").first).to_be_visible()
    made = page.url.split("piece=")[1]
    assert studio.store.piece(made).generated
    expect(page.locator("#label")).to_contain_text("generated")
    with page.expect_download() as fetched:
        page.get_by_role("link", name="MIDI").click()
    assert Path(fetched.value.path()).read_bytes()[:4] == b"MThd"
    play(page, made)
    page.wait_for_function("() => document.getElementById('player').currentTime > 0.2")
    # Seek to the middle, which needs byte ranges.
    page.evaluate("() => { document.getElementById('player').currentTime = 3; }")
    page.wait_for_function("() => document.getElementById('player').currentTime > 3.1")
    page.keyboard.press("l")
    expect(page.locator("#news")).to_contain_text("liked Jig in D major")
    assert studio.store.history("sim-0002", 1)[0][:2] == (made, "like")


def test_what_is_said_of_a_list_changes_the_next_there_and_then(page: Any) -> None:
    page.goto("/#listeners")
    page.get_by_label("Name or id").fill("sim-0005")
    expect(page.locator("#everybody button")).to_have_count(1)
    page.locator("#everybody button").click()
    expect(page.locator("#lists li")).to_have_count(10)
    assert page.locator("#lists .small").first.inner_text()
    first, second, *_ = titles(page)
    page.get_by_role("button", name=f"Like {first}", exact=True).click()
    expect(entry(page, first)).to_have_count(0)  # a reason may still name it
    expect(page.locator("#lists .fresh").first).to_be_visible()
    expect(page.locator("#last .title").first).to_have_text(first)
    if second in titles(page):
        page.get_by_role("button", name=f"Skip {second}", exact=True).click()
        expect(entry(page, second)).to_have_count(0)  # a reason may still name it
    for name in ("Because they played", "Discover"):
        page.get_by_role("button", name=name).click()
        expect(page.get_by_role("button", name=name)).to_have_attribute("aria-pressed", "true")
        expect(page.locator("#lists li").first).to_be_visible()
    page.go_back()
    expect(page.get_by_role("button", name="Because they played")).to_have_attribute("aria-pressed", "true")


def test_composing_can_be_stopped_and_nothing_is_stored(page: Any, studio: Studio) -> None:
    before = studio.store.counts()["generated"]
    page.goto("/#compose")
    page.locator("#brief [name=style]").select_option("chorale")
    page.get_by_label("Bars").fill("64")
    page.get_by_role("button", name="Compose", exact=True).click()
    expect(page.locator("#grown")).to_contain_text("of 64")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#grown")).to_contain_text("nothing was stored")
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    expect(page.get_by_role("button", name="Compose", exact=True)).to_be_enabled()
    assert studio.store.counts()["generated"] == before


def test_a_refusal_says_why_beside_the_control(page: Any, watch: Watch) -> None:
    watch.expected = [422, 422]
    page.goto("/#compose")
    page.get_by_label("Bars").fill("99")
    page.get_by_role("button", name="Compose", exact=True).click()
    expect(page.locator("#brief .problem")).to_have_text("bars is 99; allowed: 1 to 64")
    expect(page.get_by_label("Bars")).to_be_focused()
    page.get_by_label("Bars").fill("4")
    page.locator("#brief [name=key]").fill("C")
    page.get_by_text("More controls").click()
    page.get_by_label("Chords").fill("F#")
    page.get_by_label("Key and density hold").check()
    page.get_by_role("button", name="Compose", exact=True).click()
    expect(page.locator("#brief .problem")).to_contain_text("clash")


def test_the_form_has_a_labelled_field_for_every_control(page: Any, studio: Studio) -> None:
    page.goto("/#compose")
    page.get_by_text("More controls").click()
    for control in describe(Brief):
        field = page.locator(f"#brief [name={control['name']}]")
        expect(field).to_be_visible()
        expect(field).to_have_attribute("title", control["help"])
        assert page.get_by_label(control["label"]).and_(field).count() == 1, control
    styles = page.locator("#brief [name=style] option").all_inner_texts()
    assert styles == ["open", *studio.models().composer.styles]
    assert page.locator("#brief [name=bars]").get_attribute("max") == "64"


def test_controls_as_people_write_them_reach_the_piece(page: Any, studio: Studio) -> None:
    page.goto("/#compose")
    page.locator("#brief [name=style]").select_option("jig")
    page.get_by_text("More controls").click()
    for name, text in {"bars": "4", "ranges": "D4-D6", "instruments": "flute", "lowest": "G4"}.items():
        page.locator(f"#brief [name={name}]").fill(text)
    page.locator("#brief [name=cadence]").select_option("yes")
    page.get_by_role("button", name="Compose", exact=True).click()
    expect(page.locator("#title")).to_contain_text("Jig in")
    controls = studio.store.piece(page.url.split("piece=")[1]).provenance["controls"]
    wanted = {"ranges": [[62, 86]], "instruments": ["flute"], "lowest": 67, "cadence": True, "bars": 4}
    assert controls.items() >= wanted.items()


def test_a_melody_played_on_the_keys_is_found_and_its_piece_analysed(page: Any, studio: Studio) -> None:
    known = studio.store.pieces(generated=False, medium="score")[20]
    pitches = query_skyline(studio.store.score(known.id)).pitch[:9].astype(int)
    page.goto("/#find")
    for pitch in pitches - (pitches.min() // 12 - 5) * 12:
        octave, step = divmod(int(pitch) - 60, 12)
        page.get_by_role("button", name=f"{KEYS[step]}, octave {4 + octave}", exact=True).click()
    page.get_by_role("button", name="Find the melody").click()
    hit = page.locator(f'#found button[data-piece="{known.id}"]')
    expect(hit).to_contain_text("100% alike")
    hit.click()
    expect(page.locator("#title")).to_have_text(known.title)
    page.locator("summary", has_text="Analysis").click()
    pictures = page.locator("[data-part=analysis] img")
    expect(pictures).to_have_count(3)
    for i in range(3):
        pictures.nth(i).scroll_into_view_if_needed()
        page.wait_for_function(
            "i => document.querySelectorAll('[data-part=analysis] img')[i].naturalWidth", arg=i
        )
    expect(page.locator("[data-part=analysis] dl")).to_contain_text("cadence")
    for part in ("What it shares", "Alike in sound", "More like this"):
        page.locator("summary", has_text=part).click()
    expect(page.locator("[data-part=originality] li").first).to_be_visible()
    expect(page.locator("[data-part=similar] li")).to_have_count(8)
    expect(page.locator("[data-part=more-like] li")).to_have_count(8)


def test_radio_goes_on_after_a_skip_and_nothing_comes_twice(page: Any) -> None:
    page.goto("/#radio?listener=sim-0006")
    page.get_by_role("button", name="Tune in").click()
    expect(page.locator("#programme li")).to_have_count(10)
    page.locator("#programme .feedback button", has_text="Skip").nth(1).click()
    expect(page.locator("#programme li")).to_have_count(12)
    page.get_by_role("button", name="Ten more").click()
    expect(page.locator("#programme li")).to_have_count(22)
    ids = page.locator("#programme button.open").evaluate_all("all => all.map(b => b.dataset.piece)")
    assert len(set(ids)) == 22
    # At the end of a piece the next one starts automatically.
    page.locator("#programme button.open").nth(2).click()
    play(page, ids[2])
    page.wait_for_function("() => document.getElementById('player').currentTime > 0.1")
    page.evaluate(
        "() => { const player = document.getElementById('player'); player.currentTime = player.duration - 0.3; }"
    )
    expect(page.locator("#programme button.open").nth(3)).to_have_attribute("aria-current", "true")
    page.wait_for_function("id => document.getElementById('player').src.includes(id)", arg=ids[3])
    page.wait_for_function("() => document.getElementById('player').currentTime > 0.1")


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_every_view_fits_its_controls_have_names_and_its_words_contrast(
    page: Any, width: int, scheme: str
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    for view, shown in {
        "listeners": "#lists li", "radio": "#tune button", "compose": "#brief button", "find": "#keyboard button",
        "charts": "#charted", "trends": "#risen svg",
    }.items():  # fmt: skip
        page.goto(f"/#{view}?listener=sim-0001")
        expect(page.locator(shown).first).to_be_visible()
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), view
        snapshot = page.locator("body").aria_snapshot()
        assert not re.search(
            r"- (button|link|textbox|combobox|searchbox|spinbutton|slider)( \[|:|$)", snapshot
        ), view
        assert page.evaluate(CONTRAST) == [], view


CONTRAST = """() => {
  const number = (c) => { const x = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    x.fillStyle = c; x.fillRect(0, 0, 1, 1); return [...x.getImageData(0, 0, 1, 1).data]; };
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const behind = (e) => { for (let n = e; n; n = n.parentElement) { const c = number(getComputedStyle(n).backgroundColor);
    if (c[3] === 255) return c; } return [255, 255, 255, 255]; };
  const poor = [];
  for (const e of document.querySelectorAll('body *')) {
    if (!e.checkVisibility() || e.closest('svg, :disabled, #news') || ![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
    const [a, b] = [light(number(getComputedStyle(e).color)), light(behind(e))].sort((p, q) => q - p);
    if ((a + .05) / (b + .05) < 4.5) poor.push(`${e.tagName} ${e.textContent.trim().slice(0, 40)} ${((a + .05) / (b + .05)).toFixed(2)}`);
  }
  return poor; }"""


def test_a_server_that_is_away_is_told_and_tried_again(page: Any) -> None:
    page.goto("/#charts")
    expect(page.locator("#charted")).to_contain_text("play")
    page.get_by_label("Up to").fill("2024-12-20")
    expect(page.locator("#chart tbody tr").first).to_be_visible()
    page.context.set_offline(True)
    page.get_by_role("link", name="Trends").click()
    expect(page.get_by_role("alert").filter(has_text="does not answer")).to_be_visible()
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#risen li").first).to_be_visible()
    expect(page.locator("#away")).to_be_hidden()


def test_all_of_it_can_be_reached_by_keyboard(page: Any) -> None:
    page.goto("/#listeners?listener=sim-0001")
    expect(page.locator("#lists li")).to_have_count(10)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.locator("#lists button.open").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#title")).to_be_focused()
    page.get_by_role("button", name="Close the piece").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#lists button.open").first).to_be_focused()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_routes_are_described_without_another_host(page: Any) -> None:
    page.goto("/api/docs")
    page.get_by_text("POST /api/compose/stream").click()
    expect(page.locator("details[open]")).to_contain_text("max_common")
