"""The families that the trainer knows: what each is made of, trains as, and composes as."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from troubadour.core.errors import InputError
from troubadour.generation.autoregressive import AutoregressiveComposer
from troubadour.generation.network_spec import Spec
from troubadour.models.event_network import EventNetwork
from troubadour.models.lstm.composer import LstmComposer
from troubadour.models.lstm.network import LstmNetwork
from troubadour.models.transformer.composer import TransformerComposer
from troubadour.models.transformer.network import TransformerNetwork


@dataclass(frozen=True, slots=True)
class Family:
    """One family."""

    network: Callable[[Any], EventNetwork]
    """From a spec to what trains."""
    composer: type[AutoregressiveComposer]
    """What the trained weights are stored and run as."""


FAMILIES: Final[Mapping[str, Family]] = {
    "transformer": Family(TransformerNetwork, TransformerComposer),
    "lstm": Family(LstmNetwork, LstmComposer),
}


def family_of(spec: Spec) -> Family:
    """The family that a spec belongs to.

    Raises:
        InputError: none of the families has such specs.
    """
    for family in FAMILIES.values():
        if type(spec) is family.composer.spec_type:
            return family
    raise InputError(f"no family trains {type(spec).__name__}; there are: {', '.join(FAMILIES)}")
