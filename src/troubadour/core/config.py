"""Settings for all commands, read from environment variables."""

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
    """Settings of one installation.

    Each field is read from the environment variable `TROUBADOUR_` followed by the field's name in
    capitals. A plain dataclass: pydantic-settings would add .15 s to every start.

    Raises:
        InputError: a value is out of range; the message names the setting and the allowed values.
    """

    home: Path
    """Folder that holds the catalogue, models and releases. Default: the user's data folder."""
    threads: int = 1
    """Threads for composing, 1 to 256. One is the fastest setting for one piece and a small model."""
    soundfont: Path | None = None
    """An `.sf2` file to render with. Default: the SoundFont of the package."""

    precision: str = "fp32"
    """Number format of the composer's weights: `fp32` or `int8`. `int8` is faster and nearly as exact (`docs/benchmarks/composer_speed.md`)."""

    def __post_init__(self) -> None:
        if self.precision not in ("fp32", "int8"):
            raise InputError(f"precision is {self.precision!r}; allowed: fp32, int8")
        if not 1 <= self.threads <= MAX_THREADS:
            raise InputError(f"threads is {self.threads}; allowed: 1 to {MAX_THREADS}")
        if self.home.exists() and not self.home.is_dir():
            raise InputError(
                f"home is {self.home}, which is not a folder; allowed: a folder, or a path where one can be made"
            )
        if self.soundfont is not None and not self.soundfont.is_file():
            raise InputError(f"soundfont is {self.soundfont}, which is not a file; allowed: an .sf2 file")

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, *, home: Path | None = None) -> Self:
        """Read the settings.

        Args:
            environ: variables to read. Default: those of the process.
            home: replaces `TROUBADOUR_HOME` (the command line's `--home`).

        Raises:
            InputError: a variable is out of range; the message names it.

        >>> Settings.load({"TROUBADOUR_THREADS": "3"}, home=Path("here")).threads
        3
        """
        environ = os.environ if environ is None else environ
        # An empty variable counts as unset, as in most programs.
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
