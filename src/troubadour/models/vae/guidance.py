"""Let the decoder lean towards more or less of an attribute while it writes.

The odds of a token are multiplied by e^strength for what it adds to the attribute (exponential tilting,
Csiszár 1975; for a generator's attributes: Dathathri et al. 2020), so that what comes out is what the
decoder finds likeliest among passages with more of it.
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
"""Semitones by which a range may become wider than is wanted."""


def attribute_guidance(
    attribute: str, strengths: Floats, wanted: float, like: Passage, choose: Choose
) -> Choose:
    """A chooser that sees the logits leant towards an attribute.

    Args:
        attribute: one of `ATTRIBUTES`.
        strengths: nats for each unit of what counts (an onset; a pitch at the end of a wanted wider range, or
            a semitone out of a wanted narrower one; a syncopation; a bright rather than a dark third or sixth),
            shape (n,); below 0 = less of it.
        wanted: value that is aimed at, as `measure` has it.
        like: gives metre, key and range.
        choose: draws from the logits.
    """
    last = steps_of(like.metre) - 1
    worth = _worth(attribute, wanted, like)
    each = strengths[:, None, None]

    def lean(step: int, logits: Floats, past: NDArray[np.int64]) -> NDArray[np.int64]:
        leant = logits.copy()
        if attribute != "syncopation":
            leant[..., PITCH:PAD] += each * worth
        elif step % 2:
            # To take syncopation away, an onset off the eighths may stay unless the next bar could hold it.
            leant[..., PITCH:PAD] += (each if step == last else np.maximum(each, 0.0)) * worth
        elif step:
            weak = (past[:, :, -1] >= PITCH) & (past[:, :, -1] < PAD)
            leant[..., HOLD] += strengths[:, None] * weak
        return choose(step, leant, past)

    return lean


def _worth(attribute: str, wanted: float, like: Passage) -> Floats:
    """What the onset of each pitch of the grid counts, shape (pitches,)."""
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
    """What a pitch adds to the range of a melody: upwards to make it wider, downwards where there is no room."""
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
