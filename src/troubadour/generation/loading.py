"""Reading a composer of any registered family from a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, cast

from troubadour.core.errors import ModelError, NotFoundError
from troubadour.core.registry import find
from troubadour.generation.network_spec import FULL, Precision
from troubadour.generation.protocols import Composer

WEIGHTS: Final = "composer.safetensors"
DOCUMENT: Final = "composer.json"
REPORT: Final = "report.json"
"""Report of the training run; may be missing."""


def read_document(folder: Path, kind: str) -> dict[str, Any]:
    """The JSON beside a composer's weights.

    Raises:
        ModelError: it is of another family than `kind`.
        OSError, ValueError, KeyError: it is missing or damaged.
    """
    document = cast(dict[str, Any], json.loads((folder / DOCUMENT).read_text()))
    if document["kind"] != kind:
        raise ModelError(f"{folder} holds a composer of the family '{document['kind']}', not '{kind}'")
    return document


def load_composer(folder: Path, threads: int = 1, precision: Precision = FULL) -> Composer:
    """Read a composer of the family that the folder names, plugins included.

    Raises:
        ModelError: no composer can be read there, or its family is not registered.
    """
    try:
        kind = str(json.loads((folder / DOCUMENT).read_text())["kind"])
        family = find("composers", kind)
    except (OSError, ValueError, KeyError, TypeError, NotFoundError) as error:
        raise ModelError(f"{folder}: no composer can be read there: {error}") from error
    return cast(Composer, family.load(folder, threads, precision))
