"""Attribute guidance: biases of the decoder's logits towards more or less of an attribute.

The odds of a token are multiplied by e^(strength * contribution), where the contribution is what the token
adds to the attribute (exponential tilting, Csiszár 1975; for attributes of a generator: Dathathri et al.
2020). The output is then likely under the decoder among passages with more of the attribute.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.models.vae.latent_map import BRIGHT, DARK
from troubadour.models.vae.passages import HIGHEST, HOLD, LOWEST, PAD, PITCH, Passage, steps_of
from troubadour.models.vae.runtime import Choose
from troubadour.music.score import Key

Floats = NDArray[np.float32]
_OCTAVE: Final = 12
_SLACK: Final = 2
"""Semitones by which a range may exceed its target."""


def attribute_guidance(
    attribute: str, strengths: Floats, wanted: float, like: Passage, choose: Choose
) -> Choose:
    """A chooser that gets the biased logits.

    Args:
        attribute: one of `ATTRIBUTES`.
        strengths: nats for each unit of the contribution (an onset; a pitch at the end of a wanted wider range, or
            a semitone out of a wanted narrower one; a syncopation; a bright rather than a dark third or sixth),
            shape (n,); below 0 = less of it.
        wanted: target value, as `measure` has it.
        like: passage with the metre, key and range.
        choose: samples from the logits.
    """
    last = steps_of(like.metre) - 1
    contribution = _contribution(attribute, wanted, like)
    each = strengths[:, None, None]

    def guided(step: int, logits: Floats, past: NDArray[np.int64]) -> NDArray[np.int64]:
        biased = logits.copy()
        if attribute != "syncopation":
            biased[..., PITCH:PAD] += each * contribution
        elif step % 2:
            # To take syncopation away, an onset off the eighths may stay unless the next bar could hold it.
            biased[..., PITCH:PAD] += (each if step == last else np.maximum(each, 0.0)) * contribution
        elif step:
            weak = (past[:, :, -1] >= PITCH) & (past[:, :, -1] < PAD)
            biased[..., HOLD] += strengths[:, None] * weak
        return choose(step, biased, past)

    return guided


def _contribution(attribute: str, wanted: float, like: Passage) -> Floats:
    """Contribution of an onset of each pitch of the grid, shape (pitches,)."""
    pitches = np.arange(LOWEST, LOWEST + PAD - PITCH)
    counts: NDArray[np.float64] = np.ones(len(pitches))
    if attribute == "mode":
        degree = (pitches - Key(0, *like.key).tonic) % _OCTAVE
        counts = (np.isin(degree, BRIGHT) * 1.0 - np.isin(degree, DARK)) / 2
    elif attribute == "range":
        tokens = like.grid[(like.grid >= PITCH) & (like.grid < PAD)].astype(np.int64)
        if len(tokens):
            counts = _spread(pitches, tokens - PITCH + LOWEST, wanted)
    return np.asarray(counts, dtype=np.float32)


def _spread(pitches: NDArray[np.int64], sounding: NDArray[np.int64], wanted: float) -> NDArray[np.float64]:
    """Contribution of a pitch to the range of a melody: above it to widen it, below it where there is no room."""
    low, high = int(sounding.min()), int(sounding.max())
    if wanted < high - low:
        # Semitones outside the window of the wanted width that loses the fewest notes.
        width = int(wanted)
        starts = np.arange(low, high - width + 1)
        inside = [((sounding >= s) & (sounding <= s + width)).sum() for s in starts]
        start = int(starts[int(np.argmax(inside))])
        return np.maximum(start - pitches, pitches - start - width).clip(min=0).astype(np.float64)
    more = max(wanted - (high - low), 1.0)
    beyond = pitches - high if high + more <= HIGHEST else low - pitches
    return np.where(beyond <= np.ceil(more) + _SLACK, (beyond / more).clip(0, 1), more - beyond)
