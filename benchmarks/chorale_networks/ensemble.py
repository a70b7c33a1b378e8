"""Ensemble of networks: mean probability of each note, over networks and keys.

All members are causal models in the same order, so their mean is one, too,
and the chain rule stays exact. Overfitted networks make different errors,
and results of one network differ between keys.
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
    """Ensemble with equal weights of each network in each key.

    Raises:
        InputError: no network, no key, a temperature not above 0, or networks that give the voices in different orders.
    """

    networks: Sequence[VoiceNetwork]
    shifts: tuple[int, ...] = (0,)
    """Transpositions of a piece before scoring, in semitones."""
    temperature: float = 1.0
    """Temperature, above 0: divides logits, because overfitted networks are overconfident
    (Guo et al. 2017)."""

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
        """Number of weights of all networks."""
        return sum(p.numel() for network in self.networks for p in network.parameters())

    def cell_nats(self, pieces: Sequence[VoiceGrid]) -> list[np.ndarray]:
        """Nats of each cell of each piece, (time, 4).

        Raises:
            InputError: a transposed piece leaves the range of pitches.
        """
        parts = [
            cell_nats(network, [transpose(piece, shift) for piece in pieces], temperature=self.temperature)
            for network in self.networks
            for shift in self.shifts
        ]
        return mean_nats(parts)


def mean_nats(parts: Sequence[Sequence[np.ndarray]]) -> list[np.ndarray]:
    """Nats of cells under the mean probability of several models, from the nats of each model.

    >>> mean_nats([[np.array([0.0])], [np.array([3.0])]])[0].round(3).tolist()
    [0.645]
    """
    return [
        np.log(len(parts)) - np.logaddexp.reduce([-nats for nats in of]) for of in zip(*parts, strict=True)
    ]
