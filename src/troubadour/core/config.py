"""Settings: what a user may set once for all commands, in the environment."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from troubadour.core.errors import InputError

PREFIX: Final = "TROUBADOUR_"
MAX_THREADS: Final = 256


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things live and what they use.

    Each field is read from the environment variable `TROUBADOUR_` and its name in capitals. A plain
    dataclass rather than pydantic-settings, which adds .15 s to every start.

    Raises:
        InputError: a value is not acceptable; the message names the setting and what is allowed.
    """

    home: Path
    """Folder that holds the catalogue, models and releases. Default: the user's data folder."""
    threads: int = 1
    """Threads that composing uses, 1 to 256. One is the quickest for one piece and a small model."""
    soundfont: Path | None = None
    """An `.sf2` file to render with. Default: the one that is shipped."""

    precision: str = "fp32"
    """Of the composer's weights while it runs, `fp32` or `int8`, which is quicker and nearly as exact (`docs/benchmarks/composer_speed.md`)."""

    def __post_init__(self) -> None:
        if self.precision not in ("fp32", "int8"):
            raise InputError(f"precision is {self.precision!r}; allowed: fp32, int8")
        if not 1 <= self.threads <= MAX_THREADS:
            raise InputError(f"threads is {self.threads}; allowed: 1 to {MAX_THREADS}")
        if self.home.exists() and not self.home.is_dir():
            raise InputError(f"home is {self.home}, which is not a folder")
        if self.soundfont is not None and not self.soundfont.is_file():
            raise InputError(f"soundfont is {self.soundfont}, which is not a file; allowed: an .sf2 file")

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, *, home: Path | None = None) -> Self:
        """Read the settings.

        Args:
            environ: variables to read; without it those of the process.
            home: overrides `TROUBADOUR_HOME` (the command line's `--home`).

        Raises:
            InputError: as above, naming the variable.

        >>> Settings.load({"TROUBADOUR_THREADS": "3"}, home=Path("here")).threads
        3
        """
        environ = os.environ if environ is None else environ
        # An empty variable is an unset one, as in most programs.
        given = {f.name: environ.get(PREFIX + f.name.upper(), "").strip() for f in dataclasses.fields(cls)}
        soundfont = given["soundfont"]
        return cls(
            home=(home or Path(given["home"] or _default_home())).expanduser().absolute(),
            threads=_whole("threads", given["threads"] or "1"),
            precision=given["precision"] or "fp32",
            soundfont=Path(soundfont).expanduser().absolute() if soundfont else None,
        )


def _whole(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InputError(f"{PREFIX}{name.upper()} is {text!r}; allowed: a whole number") from None


def _default_home() -> str:
    import platformdirs

    return platformdirs.user_data_dir("troubadour", appauthor=False)
