"""Checkpoints of training runs: arrays as safetensors beside one JSON document, each written atomically."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from troubadour.core.errors import ModelError
from troubadour.core.files import replacing, write_file

DOCUMENT: Final = "checkpoint.json"

Arrays = dict[str, Tensor]


def write_checkpoint(folder: Path, step: int, parts: Mapping[str, Arrays], document: dict[str, Any]) -> None:
    """Replace a folder's checkpoint; a process killed meanwhile leaves the old one or the new one.

    Args:
        parts: arrays by part, such as `network`; a name in a part may be any text.
        document: what else is kept, as JSON.
    """
    name = f"checkpoint-{step}.safetensors"
    arrays = {f"{part}.{key}": array for part, found in parts.items() for key, array in found.items()}
    write_arrays(folder / name, arrays)
    write_json(folder / DOCUMENT, {"arrays": name, **document})
    for old in folder.glob("checkpoint-*.safetensors"):
        if old.name != name:
            old.unlink()


def read_checkpoint(folder: Path) -> tuple[dict[str, Arrays], dict[str, Any]]:
    """The parts and the document of a folder's checkpoint.

    Raises:
        ModelError: it cannot be read.
    """
    try:
        document = json.loads((folder / DOCUMENT).read_text())
        arrays = load_file(folder / document["arrays"])
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise ModelError(
            f"{folder}: checkpoint cannot be read: {error}. Train in a new folder, or put the file back"
        ) from error
    parts: dict[str, Arrays] = {}
    for name, array in arrays.items():
        part, key = name.split(".", 1)
        parts.setdefault(part, {})[key] = array
    return parts, document


def write_arrays(path: Path, arrays: Mapping[str, Tensor]) -> None:
    """Write safetensors atomically and durably."""
    with replacing(path) as part:
        save_file({k: v.detach().contiguous() for k, v in arrays.items()}, part)


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write JSON atomically and durably."""
    write_file(path, json.dumps(document, indent=1))
