"""Several networks as one model: the mean of what they give each note, in several keys.

Each is a causal model in one and the same order, so that the mean of their probabilities is one too
and the chain rule stays exact. Networks that learnt little data by heart are wrong in different
places; and none is quite the same in all keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from troubadour.core.errors import InputError

from .network import VoiceNetwork
from .training import cell_nats
from .voices import VoiceGrid, transpose


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Equal parts of each network in each key.

    Raises:
        InputError: no network, no key, a temperature not above 0, or networks that give the voices in different orders.
    """

    networks: Sequence[VoiceNetwork]
    shifts: tuple[int, ...] = (0,)
    """Semitones by which a piece is moved before it is judged."""
    temperature: float = 1.0
    """Logits are divided by it, above 0: networks that learnt little data by heart are too sure of
    themselves (Guo et al. 2017)."""

    def __post_init__(self) -> None:
        if not self.networks or not self.shifts:
            raise InputError("a mixture needs at least one network and one shift")
        if not self.temperature > 0:
            raise InputError(f"temperature is {self.temperature}; allowed: above 0")
        orders = {network.spec.order for network in self.networks}
        if len(orders) > 1:
            raise InputError(f"networks give the voices in different orders: {sorted(orders)}")

    @property
    def weights(self) -> int:
        """Of all networks together."""
        return sum(p.numel() for network in self.networks for p in network.parameters())

    def cell_nats(self, pieces: Sequence[VoiceGrid]) -> list[np.ndarray]:
        """What each cell of each piece costs, (time, 4) nats.

        Raises:
            InputError: a piece moved by one of the shifts leaves the pitches that are told apart.
        """
        parts = [
            cell_nats(network, [transpose(piece, shift) for piece in pieces], temperature=self.temperature)
            for network in self.networks
            for shift in self.shifts
        ]
        return mean_nats(parts)


def mean_nats(parts: Sequence[Sequence[np.ndarray]]) -> list[np.ndarray]:
    """What cells cost by the mean of several models' probabilities, given what they cost by each.

    >>> mean_nats([[np.array([0.0])], [np.array([3.0])]])[0].round(3).tolist()
    [0.645]
    """
    return [
        np.log(len(parts)) - np.logaddexp.reduce([-nats for nats in of]) for of in zip(*parts, strict=True)
    ]
