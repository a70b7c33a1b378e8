"""Audio encoder: trained with torch, saved, run with NumPy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from troubadour.core.errors import InputError, ModelError
from troubadour.similarity.encoder import ARRAYS, DOCUMENT, WEIGHTS, WIDTH, SoundEncoder

pytestmark = pytest.mark.torch


def kinds(pieces: int, frames: int = 200, seed: int = 0) -> list[np.ndarray]:
    """MFCCs of two alternating kinds of sound, each piece at its own level."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 3, (2, 20))
    return [
        (centres[i % 2] + rng.normal(0, 2, 20) * 0.3 + rng.normal(0, 2, (frames, 20))).astype(np.float32)
        for i in range(pieces)
    ]


@pytest.fixture(scope="module")
def encoder() -> SoundEncoder:
    pytest.importorskip("torch")
    from troubadour.similarity.sound_training import EncoderOptions, train_encoder

    options = EncoderOptions(steps=30, batch=8, crop_frames=60, channels=8)
    return train_encoder(kinds(12), options, {"trained_on": "two kinds of noise"})


def test_the_numpy_encoder_gives_what_torch_trained(encoder: SoundEncoder) -> None:
    import torch

    from troubadour.similarity.sound_training import _Net

    net = _Net(20, 8)
    w = encoder.weights
    with torch.no_grad():
        for name, value in (("first", w["first"]), ("second", w["second"]), ("out", w["out"].T)):
            getattr(net, name).weight.copy_(torch.from_numpy(np.ascontiguousarray(value)))
            getattr(net, name).bias.copy_(torch.from_numpy(w[f"{name}_bias"]))
        frames = kinds(1, seed=5)[0]
        out = net(torch.from_numpy((frames - w["mean"]) / w["scale"])[None])[0].numpy()
    np.testing.assert_allclose(encoder.embed(frames), out / np.linalg.norm(out), atol=1e-4)


def test_what_was_saved_embeds_alike_without_torch(encoder: SoundEncoder, tmp_path: Path) -> None:
    encoder.save(tmp_path)
    frames = kinds(1, seed=3)[0]
    loaded = SoundEncoder.load(tmp_path)
    assert loaded.name == encoder.name
    assert loaded.notes["trained_on"] == "two kinds of noise"
    assert np.array_equal(loaded.embed(frames), encoder.embed(frames))
    np.save(tmp_path / "frames.npy", frames)
    program = (
        "import sys, json, numpy as np; sys.modules['torch'] = None\n"
        "from pathlib import Path; from troubadour.similarity.encoder import SoundEncoder\n"
        "p = Path(sys.argv[1]); print(json.dumps(SoundEncoder.load(p).embed(np.load(p / 'frames.npy')).tolist()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True
    )
    np.testing.assert_allclose(json.loads(done.stdout), encoder.embed(frames), atol=1e-6)


def test_new_pieces_of_one_kind_are_nearer_than_of_two(encoder: SoundEncoder) -> None:
    vectors = np.stack([encoder.embed(p) for p in kinds(8)])
    assert vectors.shape == (8, WIDTH)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    near = vectors @ vectors.T
    same = np.arange(8)[:, None] % 2 == np.arange(8) % 2
    assert near[same & ~np.eye(8, dtype=bool)].mean() > near[~same].mean() + 0.1


def test_the_same_seed_trains_the_same_encoder(encoder: SoundEncoder) -> None:
    from troubadour.similarity.sound_training import EncoderOptions, train_encoder

    again = train_encoder(kinds(12), EncoderOptions(steps=30, batch=8, crop_frames=60, channels=8), {})
    assert again.name == encoder.name
    assert all(np.array_equal(again.weights[n], encoder.weights[n]) for n in ARRAYS)


def test_too_little_and_damage_are_refused(encoder: SoundEncoder, tmp_path: Path) -> None:
    from troubadour.similarity.sound_training import EncoderOptions, train_encoder

    with pytest.raises(InputError, match="at least 2"):
        train_encoder(kinds(1), EncoderOptions(crop_frames=60), {})
    with pytest.raises(InputError, match="at least 20"):
        encoder.embed(np.zeros((5, 20), dtype=np.float32))
    with pytest.raises(ModelError):
        SoundEncoder.load(tmp_path)
    encoder.save(tmp_path)
    arrays = {**encoder.weights, "out": encoder.weights["out"][:4]}
    np.savez(tmp_path / WEIGHTS, allow_pickle=False, **arrays)
    with pytest.raises(ModelError, match="do not fit"):
        SoundEncoder.load(tmp_path)
    (tmp_path / DOCUMENT).write_text("{")
    with pytest.raises(ModelError):
        SoundEncoder.load(tmp_path)
