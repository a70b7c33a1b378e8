"""What holds for the project as a whole, and no linter can see."""

from __future__ import annotations

import ast
import dataclasses
import doctest
import importlib
import json
import pkgutil
import re
import shlex
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import typer.main
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tests.fixtures.pages import commands

import troubadour

# Loaded only by the function that needs them: each costs from a tenth of a second to several.
HEAVY = {
    "alembic", "fastapi", "music21", "numpy", "onnx", "onnxruntime", "pydantic", "scipy", "soundfile",
    "sqlalchemy", "symusic", "torch", "uvicorn", "verovio",
}  # fmt: skip
OF_ONE_MACHINE = re.compile(r"/(?:work|root|home|Users)/\w|[A-Z]:\\\\Users|/tmp/[a-z]\b")
ROOT = Path(__file__).parents[1]
REGISTRY_HOSTS = re.compile(r"(?:pypi|pythonhosted|npmjs)\.(?:org|com)")


def loaded_after(statement: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after a statement."""
    program = f"import sys, json\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in json.loads(done.stdout)}


def tracked_files(root: Path) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout, so no files are tracked")
    return [root / name for name in listed.stdout.split("\0") if name and (root / name).is_file()]


def modules() -> list[str]:
    found = pkgutil.walk_packages(troubadour.__path__, "troubadour.")
    # Alembic runs its own files, which need a database; __main__ runs the command line.
    return sorted(m.name for m in found if ".migrations" not in m.name and "__main__" not in m.name)


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_after("import troubadour") & HEAVY == set()


def test_the_command_line_starts_light() -> None:
    assert loaded_after("import troubadour.cli") & HEAVY == set()


@pytest.mark.slow
def test_composing_recommending_and_serving_load_neither_torch_nor_music21() -> None:
    loaded = loaded_after("import troubadour.app.studio, troubadour.app.jobs, troubadour.server.app")
    assert loaded & {"torch", "music21"} == set()
    assert "numpy" in loaded, "the check itself works"


def test_there_is_no_pickle(root: Path) -> None:
    found = []
    for path in sorted((root / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            elif isinstance(node, ast.Call):
                function = ast.unparse(node.func)
                allowed = [k for k in node.keywords if k.arg == "allow_pickle"]
                if function == "torch.load" or any(ast.unparse(k.value) != "False" for k in allowed):
                    found.append(f"{path.name}:{node.lineno} {function}")
            forbidden = {"pickle", "cPickle", "dill", "joblib", "cloudpickle", "shelve", "marshal"}
            found += [f"{path.name}: import {n}" for n in names if n.partition(".")[0] in forbidden]
    assert found == []


def test_no_tracked_file_knows_one_machine_or_registry(root: Path) -> None:
    found = []
    for path in tracked_files(root):
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            if OF_ONE_MACHINE.search(line) or REGISTRY_HOSTS.search(line):
                found.append(f"{path.relative_to(root)}:{number}: {line.strip()[:100]}")
    assert found == []


def test_nothing_large_is_tracked(root: Path) -> None:
    limit = 20_000_000
    assert [str(p) for p in tracked_files(root) if p.stat().st_size > limit] == []


@pytest.mark.parametrize("name", modules())
def test_examples_in_docstrings_are_true(name: str) -> None:
    module = importlib.import_module(name)
    failed, _ = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert failed == 0


def test_import_contracts_hold(root: Path) -> None:
    program = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True, no_logo=True))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


LONG_FILES = {
    "tokens/grammar.py": "phases, masks and positions are three views of one state",
}


def test_no_file_grows_past_400_lines_without_a_reason(root: Path) -> None:
    source = root / "src/troubadour"
    long = {
        p.relative_to(source).as_posix()
        for p in source.rglob("*.py")
        if len(p.read_text().splitlines()) > 400
    }
    assert long <= LONG_FILES.keys(), long - LONG_FILES.keys()
    decisions = (root / "docs/decisions.md").read_text()
    assert [name for name in LONG_FILES if name.rpartition("/")[2] not in decisions] == []


def test_the_package_root_holds_no_loose_modules(root: Path) -> None:
    loose = {p.name for p in (root / "src/troubadour").glob("*.py")}
    assert loose == {"__init__.py", "__main__.py"}


def test_a_public_class_name_stands_for_one_thing(root: Path) -> None:
    places: dict[str, list[str]] = {}
    for path in sorted((root / "src").rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(path.relative_to(root).as_posix())
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_the_readme_opens_with_the_two_commands(root: Path) -> None:
    assert [c.split()[:2] for c in commands((root / "README.md").read_text())][:2] == [
        ["make", "demo"],
        ["make", "test"],
    ]


TABLES = sorted(
    p.name for p in (Path(__file__).parents[1] / "docs" / "benchmarks").glob("*.md") if "|" in p.read_text()
)


@pytest.mark.parametrize("name", TABLES)
def test_every_table_of_figures_names_its_command_its_date_and_its_machine(root: Path, name: str) -> None:
    text = (root / "docs" / "benchmarks" / name).read_text()
    programs = re.findall(r"python (benchmarks/\w+\.py)", text)
    assert programs or re.search(r"troubadour (evaluate|train) ", text), "no command"
    assert all((root / program).is_file() for program in programs)
    assert re.search(r"\b20\d\d-\d\d-\d\d\b", text), "no date"
    assert re.search(r"\bcores?\b|CPUs|x86_64", text), "no machine"


def test_every_figure_of_the_readme_has_its_table(root: Path) -> None:
    section = (root / "README.md").read_text().partition("## How good it is")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")][2:]
    assert rows
    for row in rows:
        assert re.search(r"\bn \d|\d of \d|\bof (them|each)\b", row), f"no n: {row}"
        links = re.findall(r"\]\((docs/benchmarks/[\w-]+\.md)\)", row)
        assert links, f"no table: {row}"
        assert all((root / link).is_file() for link in links), f"no such table: {row}"


def test_every_make_target_in_the_readme_exists(root: Path) -> None:
    targets = {c.split()[1] for c in commands((root / "README.md").read_text()) if c.startswith("make ")}
    assert {"demo", "test"} <= targets
    makefile = (root / "Makefile").read_text()
    for target in targets:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), f"make {target}"


PAGES = sorted(p.relative_to(ROOT).as_posix() for p in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
WITH_COMMANDS = {
    p for p in PAGES if any("troubadour " in command for command in commands((ROOT / p).read_text()))
}


def test_the_guides_have_commands() -> None:
    guides = ("composing", "recommending", "listening", "analysis", "audio", "model-card", "model-card-vae")
    assert {"README.md", *(f"docs/{guide}.md" for guide in guides)} <= WITH_COMMANDS


@pytest.mark.parametrize("page", sorted(WITH_COMMANDS))
def test_every_command_and_option_in_the_documents_exists(root: Path, page: str) -> None:
    seen = 0
    for line in commands((root / page).read_text()):
        words = shlex.split(line)
        if words[0].rpartition("/")[2] != "troubadour":
            continue
        from troubadour.cli import app

        command: Any = typer.main.get_command(app)
        words = words[1:]
        while subcommands := getattr(command, "commands", None):
            assert words[:1], f"{line}: which command?"
            assert words[0] in subcommands, line
            command = subcommands[words.pop(0)]
        options = {o for p in command.params for o in (*p.opts, *p.secondary_opts)}
        assert {w.partition("=")[0] for w in words if w.startswith("--")} <= options, line
        seen += 1
    assert seen


NAMED_FILE = re.compile(r"(?<![\w/.*-])((?:[\w-]+/)*[\w-]+\.py|(?:[\w-]+/)+[\w-]+\.(?:toml|json))\b")
NAMED_MODULE = re.compile(r"\btroubadour(?:\.[A-Za-z_]\w*)+")
ENTRY_POINT_GROUPS = {"troubadour.composers", "troubadour.recommenders", "troubadour.renderers"}
RECIPES = sorted(p.relative_to(ROOT).as_posix() for p in (ROOT / "recipes").glob("*.toml"))


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "CHANGELOG.md", "NOTICE", "Makefile", *RECIPES, *PAGES])
def test_every_file_and_module_that_a_page_names_exists(root: Path, page: str) -> None:
    """A file is named from the root, from the package, from the page's folder, or by its name alone."""
    text = (root / page).read_text()
    folders = (root, root / "src/troubadour", (root / page).parent)
    names = {p.name for folder in ("src", "tests", "benchmarks") for p in (root / folder).rglob("*.py")}
    for named in NAMED_FILE.findall(text):
        assert named in names or any((folder / named).is_file() for folder in folders), named
    for named in set(NAMED_MODULE.findall(text)) - ENTRY_POINT_GROUPS:
        assert is_importable(named), named


def headings(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    found = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in found}


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", *PAGES])
def test_every_link_of_a_page_leads_somewhere(root: Path, page: str) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", (root / page).read_text()):
        target, _, anchor = link.partition("#")
        if "://" in target:
            continue
        path = ((root / page).parent / target) if target else root / page
        assert path.exists(), link
        assert not anchor or anchor in headings(path), link


def test_every_setting_and_every_command_is_documented(root: Path) -> None:
    from troubadour.cli import app
    from troubadour.core.config import PREFIX, Settings

    readme = (root / "README.md").read_text()
    fields = [field.name for field in dataclasses.fields(Settings)]
    assert [name for name in fields if f"`{PREFIX}{name.upper()}`" not in readme] == []
    text = "\n".join((root / p).read_text() for p in PAGES)
    top: Any = typer.main.get_command(app)
    assert [n for n in top.commands if not re.search(rf"`{n}\b|(?:troubadour|make) {n}\b", text)] == []


def is_importable(name: str) -> bool:
    """Whether a dotted name is a module, or an attribute of one."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        return all((found := getattr(found, part, None)) is not None for part in parts[cut:])
    return False


def test_constraints_pin_every_dependency_within_its_range(root: Path) -> None:
    lines = (root / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    pinned = {canonicalize_name(name): version for name, version in pins.items()}
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for line in project["dependencies"] + extras["train"] + extras["dev"]:
        requirement = Requirement(line)
        assert pinned[canonicalize_name(requirement.name)] in requirement.specifier, line


def test_torch_is_never_in_the_base_install(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert not [line for line in project["dependencies"] if Requirement(line).name == "torch"]


def test_the_wheel_carries_what_a_user_needs(root: Path, tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=root, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    package = {n.removeprefix("troubadour/") for n in names if n.startswith("troubadour/")}
    assert {
        "py.typed",
        "cli/__init__.py",
        "data/soundfonts/sonivox.sf2",
        "data/soundfonts/LICENSE-sonivox",
    } <= package
    # Everything that is tracked below the package, and nothing that lies about.
    source = root / "src/troubadour"
    tracked = {p.relative_to(source).as_posix() for p in tracked_files(root) if p.is_relative_to(source)}
    assert tracked <= package
    assert [n for n in package if n.endswith((".pyc", ".mid", ".abc", ".mxl", ".krn"))] == []
    licences = {Path(n).name for n in names if ".dist-info/licenses/" in n}
    assert {"LICENSE", "NOTICE", "LICENSE-sonivox"} <= licences
