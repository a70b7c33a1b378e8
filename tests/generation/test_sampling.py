from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from troubadour.generation.sampling import (
    BatchedDecoding,
    GuidanceBranch,
    GuidedDecoder,
    choose,
    log_probability,
    sample,
)

LOGITS = np.log(np.array([0.5, 0.25, 0.15, 0.08, 0.02], dtype=np.float32))


def drawn(allowed: list[int], temperature: float = 1.0, top_p: float = 1.0, n: int = 4000) -> Counter[int]:
    rng = np.random.default_rng(7)
    return Counter(choose(LOGITS, np.array(allowed), rng, temperature, top_p) for _ in range(n))


def test_tokens_are_drawn_in_proportion_to_their_probability() -> None:
    counts = drawn([0, 1, 2, 3, 4])
    for token, p in enumerate((0.5, 0.25, 0.15, 0.08, 0.02)):
        assert counts[token] / 4000 == pytest.approx(p, abs=0.03)


def test_only_allowed_tokens_are_drawn_and_share_the_whole_probability() -> None:
    counts = drawn([1, 3])
    assert set(counts) == {1, 3}
    assert counts[1] / 4000 == pytest.approx(0.25 / 0.33, abs=0.03)


def test_a_single_allowed_token_is_taken_for_any_logit() -> None:
    logits = np.full(5, np.nan, dtype=np.float32)
    assert choose(logits, np.array([3]), np.random.default_rng(0), 1.0, 1.0) == 3


def test_low_temperature_takes_the_best_and_high_evens_out() -> None:
    assert set(drawn([0, 1, 2, 3, 4], temperature=0.01)) == {0}
    assert set(drawn([2, 3, 4], temperature=0.01)) == {2}
    hot = drawn([0, 1, 2, 3, 4], temperature=50)
    assert min(hot.values()) > 600


@pytest.mark.parametrize(
    ("top_p", "kept"), [(1e-6, {0}), (0.49, {0}), (0.6, {0, 1}), (0.76, {0, 1, 2}), (0.97, {0, 1, 2, 3}), (1.0, {0, 1, 2, 3, 4})]
)  # fmt: skip
def test_top_p_keeps_the_most_probable_tokens(top_p: float, kept: set[int]) -> None:
    assert set(drawn([0, 1, 2, 3, 4], top_p=top_p)) == kept


def test_huge_logits_do_not_overflow() -> None:
    logits = np.array([3e38, -3e38, 0], dtype=np.float32)
    assert choose(logits, np.array([0, 1, 2]), np.random.default_rng(0), 0.1, 0.9) == 0


class Counting:
    """A decoder that counts up by one or two to `until`; with `stuck` it allows no token.

    Tokens in `rejected` are allowed and then rejected; `fallback_mask` allows one further token. From
    `forced_from` it counts by one.
    """

    forced = False
    forced_from = 50

    def __init__(
        self,
        until: int,
        stuck: bool = False,
        rejected: tuple[int, ...] = (),
        fallback_mask: int | None = None,
    ) -> None:
        self.until, self.stuck, self.taken, self.rejected = until, stuck, [0], rejected
        self.fallback_mask = None if fallback_mask is None else np.arange(50) == fallback_mask

    @property
    def done(self) -> bool:
        return self.taken[-1] == self.until

    @property
    def fully_forced(self) -> bool:
        return self.taken[-1] >= min(self.forced_from, self.until)

    def advance(self, token: int) -> None:
        self.taken.append(token)

    def take(self, token: int) -> bool:
        if token not in self.rejected:
            self.advance(token)
        return token not in self.rejected

    def unforced(self) -> NDArray[np.bool_]:
        return np.ones(50, dtype=bool)

    def allowed(self) -> NDArray[np.bool_]:
        mask = np.zeros(50, dtype=bool)
        if not self.stuck:
            step = 1 if self.fully_forced else 2
            mask[self.taken[-1] + 1 : min(self.taken[-1] + step, self.until) + 1] = True
        return mask

    def features(self) -> tuple[int, ...]:
        return (self.taken[-1],)


class Flat:
    """A network with equal logits for all tokens; records its inputs."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.fed: list[NDArray[np.int64]] = []

    def step(self, tokens: NDArray[np.int64], features: NDArray[np.int64]) -> NDArray[np.float32]:
        assert (tokens == features[..., 0]).all()
        self.fed.append(tokens.copy())
        return np.zeros((len(tokens), 50), dtype=np.float32)


def test_each_sequence_is_decoded_until_its_decoder_is_done() -> None:
    decoders = [Counting(1), Counting(9)]
    first, second = sample(Flat(40), decoders, [[0], [0]], np.random.default_rng(1))
    assert first is not None
    assert first.tokens == [0, 1]
    assert first.mean_nll == 0.0, "only one token was allowed"
    assert second is not None
    assert (second.tokens[0], second.tokens[-1]) == (0, 9)
    assert set(np.diff(second.tokens).tolist()) <= {1, 2}
    assert second.mean_nll > 0


def test_log_probability_is_normalised_over_the_allowed_tokens() -> None:
    assert log_probability(LOGITS, np.array([0, 1, 2, 3, 4]), 1) == pytest.approx(np.log(0.25), abs=1e-6)
    assert log_probability(LOGITS, np.array([1, 3]), 1) == pytest.approx(np.log(0.25 / 0.33), abs=1e-6)
    assert log_probability(LOGITS, np.array([3]), 3) == pytest.approx(0, abs=1e-6)


def test_a_sequence_that_is_too_long_is_none() -> None:
    assert sample(Flat(4), [Counting(49)], [[0]], np.random.default_rng(1)) == [None]


def test_results_are_independent_of_batch_composition() -> None:
    together = sample(Flat(60), [Counting(40) for _ in range(3)], [[0]] * 3, np.random.default_rng(3))
    alone = sample(Flat(60), [Counting(40)], [[0]], np.random.default_rng(3))
    assert together[0] == alone[0]
    assert together[0] != together[1]


def test_a_dead_end_is_counted_and_gives_no_sequence() -> None:
    decoders = [Counting(5, stuck=True), Counting(5)]
    decoding = BatchedDecoding(Flat(9), decoders, [[0], [0]], np.random.default_rng(0))
    for _ in decoding.steps():
        pass
    assert decoding.n_dead_ends == 1
    lost, found = decoding.finished()
    assert lost is None
    assert found is not None


def test_rejected_tokens_are_drawn_again() -> None:
    for seed in range(5):
        (finished,) = sample(Flat(20), [Counting(6, rejected=(1, 3))], [[0]], np.random.default_rng(seed))
        assert finished is not None
        assert not {1, 3} & set(finished.tokens)


def test_the_fallback_mask_is_used_when_every_allowed_token_was_rejected() -> None:
    (finished,) = sample(
        Flat(20), [Counting(6, rejected=(1, 2), fallback_mask=5)], [[0]], np.random.default_rng(0)
    )
    assert finished is not None
    assert finished.tokens == [0, 5, 6]


def test_given_tokens_count_in_the_mean_nll() -> None:
    given = Counting(1)
    given.forced = True
    (finished,) = sample(Flat(9), [given], [[0]], np.random.default_rng(0))
    assert finished is not None
    assert finished.tokens == [0, 1]
    assert finished.mean_nll == pytest.approx(np.log(50))


def test_fully_forced_tokens_need_no_network_and_do_not_count_in_the_mean_nll() -> None:
    decoders = [Counting(12), Counting(20)]
    for decoder, first in zip(decoders, (6, 9), strict=True):
        decoder.forced_from = first
    network = Flat(40)
    first, second = sample(network, decoders, [[0], [0]], np.random.default_rng(0))
    assert first is not None
    assert second is not None
    assert first.tokens[-6:] == list(range(7, 13))
    assert second.tokens[-11:] == list(range(10, 21))
    fed = np.concatenate(network.fed, axis=1)
    assert fed.max() < 12, "up to the token where both are fully forced"
    assert [first.mean_nll, second.mean_nll] == pytest.approx([np.log(2)] * 2)
    alone = Counting(20)
    alone.forced_from = 3
    (finished,) = sample(Flat(40), [alone], [[5]], np.random.default_rng(0))
    assert finished is not None
    assert finished.mean_nll == 0.0


class Leaning(Flat):
    """A network whose logits are 0, and `by` for one token."""

    def __init__(self, length: int, token: int, by: float) -> None:
        super().__init__(length)
        self.token, self.by = token, by

    def step(self, tokens: NDArray[np.int64], features: NDArray[np.int64]) -> NDArray[np.float32]:
        self.fed.append(tokens.copy())
        logits = np.zeros((len(tokens), 50), dtype=np.float32)
        logits[:, self.token] = self.by
        return logits


def test_guidance_enlarges_the_effect_of_a_part_of_the_prompt() -> None:
    conditional, unconditional, other = Leaning(9, 7, 2.0), Leaning(9, 7, 0.5), Leaning(9, 6, 1.0)
    kept = np.array([True, False, True]), np.array([False, True, True])
    network = GuidedDecoder(
        conditional, [GuidanceBranch(unconditional, kept[0], 3.0), GuidanceBranch(other, kept[1], 2.0)]
    )
    tokens = np.array([[0, 4, 5]])
    first = network.step(tokens, tokens[..., None])
    assert first[0, 7] == pytest.approx(2 + 2 * 1.5 + 1 * 2)
    assert first[0, 6] == pytest.approx(-1)
    assert unconditional.fed[0].tolist() == [[0, 5]], "a part is left out, and so are its places"
    assert other.fed[0].tolist() == [[4, 5]]
    network.step(np.array([[9]]), np.array([[[9]]]))
    assert [n.fed[1].tolist() for n in (conditional, unconditional, other)] == [[[9]]] * 3
