from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from troubadour.core.networks.muon import Muon, orthogonal  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.mark.parametrize("shape", [(8, 8), (8, 24), (24, 8)])
def test_all_directions_of_a_step_are_about_as_long(shape):
    torch.manual_seed(1)
    values = torch.linalg.svdvals(orthogonal(torch.randn(shape)))
    assert values.min() > 0.4
    assert values.max() < 1.3


def test_least_squares_are_found():
    torch.manual_seed(1)
    target, inputs = torch.randn(6, 4), torch.randn(100, 4)
    matrix = torch.nn.Parameter(torch.zeros(6, 4))
    muon = Muon([matrix], lr=0.3, weight_decay=0.0)
    for _ in range(400):
        (inputs @ (matrix - target).T).square().mean().backward()
        muon.step()
        muon.zero_grad()
        for group in muon.param_groups:
            group["lr"] *= 0.985
    assert (matrix - target).abs().max() < 0.02
