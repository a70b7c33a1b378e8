"""The VAE in torch, for training only; `engine` runs the same weights in NumPy.

A bar is embedded by a feed-forward net over its steps; a Transformer over the bars gives mean and
variance of the latent vector. The decoder is hierarchical (MusicVAE, Roberts et al. 2018): a
Transformer over bars, the conductor, turns the latent vector into a vector a bar; a causal
Transformer writes the steps of each bar from that vector alone. Nothing but the latent vector joins
one bar to the next, so it cannot be ignored, and all bars are written at once.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own custom

from troubadour.core.networks.blocks import Norm, TransformerBlock, autocast, squared_relu
from troubadour.models.vae.dataset import VaeBatch
from troubadour.models.vae.passages import METRES, PAD
from troubadour.models.vae.spec import VaeSpec


class VaeNetwork(nn.Module):
    """Encoder and decoder of passages of any length up to `spec.longest` bars."""

    def __init__(self, spec: VaeSpec) -> None:
        super().__init__()
        self.spec = spec
        self.precision = "auto"
        """Number type of activations, as `TrainOptions.precision`."""
        width, hidden, d = spec.width, spec.hidden, spec.dropout

        def blocks(layers: int, *, causal: bool) -> nn.ModuleList:
            shape = (width, width // spec.head, 4 * width, d)
            return nn.ModuleList(TransformerBlock(*shape, causal=causal) for _ in range(layers))

        # Encoder.
        self.token_in = nn.Embedding(spec.tokens, spec.token)
        self.metre_in = nn.Embedding(len(METRES), width)
        self.bar_up = nn.Linear(spec.steps * spec.token, hidden, bias=False)
        self.bar_norm = Norm(hidden)
        self.bar_down = nn.Linear(hidden, width, bias=False)
        self.place_in = nn.Embedding(spec.longest + 1, width)
        self.encoder = blocks(spec.bar_layers, causal=False)
        self.encoder_norm = Norm(width)
        # Each bar speaks for itself, at its place, and all together through the first.
        self.to_latent = nn.Linear((spec.longest + 1) * width, 2 * spec.latent, bias=False)
        # Decoder.
        self.from_latent = nn.Linear(spec.latent, spec.longest * width, bias=False)
        self.length_out = nn.Embedding(spec.longest + 1, width)
        self.place_out = nn.Embedding(spec.longest, width)
        self.metre_out = nn.Embedding(len(METRES), width)
        self.conductor = blocks(spec.bar_layers, causal=False)
        self.token_out = nn.Embedding(spec.tokens + 1, width)  # the last row stands for a masked token
        self.bar_out = nn.Linear(width, spec.steps * width, bias=False)
        self.decoder = blocks(spec.step_layers, causal=True)
        self.decoder_norm = Norm(width)
        self.head = nn.Linear(width, spec.tokens, bias=False)
        tables = {id(m.weight) for m in self.modules() if isinstance(m, nn.Embedding)}
        for name, p in self.named_parameters():
            if p.dim() == 2:
                # What adds to the stream of a layer starts small.
                residual = name.endswith((".out.weight", ".down.weight"))
                nn.init.normal_(p, std=0.02 if id(p) in tables or residual else p.shape[1] ** -0.5)
        nn.init.normal_(self.to_latent.weight, std=0.02)

    def objective(self, batch: VaeBatch) -> tuple[Tensor, Tensor]:
        """The bound with annealed, thresholded KL (free bits), summed over steps, and the number of steps."""
        grid = torch.from_numpy(batch.grid.astype("int64"))
        metre = torch.from_numpy(batch.metre.astype("int64"))
        with autocast(self.precision):
            mean, log_variance = self.encode(grid, metre)
            mean, log_variance = mean.float(), log_variance.float()
            z = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
            before = self.before(grid)
            hidden = torch.rand(before.shape) < self.spec.unheard
            before = torch.where(hidden, self.spec.tokens, before)
            logits = self.write(self.conduct(z, metre, grid.shape[1]), before)
        there = grid != PAD
        nats = F.cross_entropy(logits.float()[there], grid[there], reduction="sum")
        excess = F.relu(divergence(mean, log_variance) - batch.free_nats).sum()
        return nats + batch.kl_weight * excess, there.sum()

    @torch.no_grad()
    def nats(self, batch: VaeBatch) -> tuple[float, float, int, int]:
        """Reconstruction nats at the posterior mean, KL, steps and passages, summed."""
        grid = torch.from_numpy(batch.grid.astype("int64"))
        metre = torch.from_numpy(batch.metre.astype("int64"))
        with autocast(self.precision):
            mean, log_variance = self.encode(grid, metre)
            logits = self.write(self.conduct(mean, metre, grid.shape[1]), self.before(grid))
        there = grid != PAD
        nats = F.cross_entropy(logits.float()[there], grid[there], reduction="sum")
        kl = divergence(mean.float(), log_variance.float()).sum()
        return float(nats), float(kl), int(there.sum()), len(grid)

    def encode(self, grid: Tensor, metre: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance, each (batch, latent), of grids (batch, bars, steps) and metre rows (batch,)."""
        batch, bars, _ = grid.shape
        x = self.bar_down(squared_relu(self.bar_norm(self.bar_up(self.token_in(grid).flatten(2)))))
        x = torch.cat([x.new_zeros(batch, 1, x.shape[2]), x], dim=1)
        x = x + self.place_in.weight[: bars + 1] + self.metre_in(metre)[:, None]
        for block in self.encoder:
            x = block(x)
        x = self.encoder_norm(x).flatten(1)
        weight = self.to_latent.weight[:, : x.shape[1]]
        mean, log_variance = (x @ weight.T).chunk(2, dim=1)
        return mean, log_variance.clamp(-8.0, 4.0)

    def conduct(self, z: Tensor, metre: Tensor, bars: int) -> Tensor:
        """A vector a bar, (batch, bars, width), from latent vectors (batch, latent)."""
        x = self.from_latent(z).view(len(z), self.spec.longest, -1)[:, :bars]
        x = x + self.place_out.weight[:bars] + self.metre_out(metre)[:, None] + self.length_out.weight[bars]
        for block in self.conductor:
            x = block(x)
        out: Tensor = x
        return out

    def write(self, bar: Tensor, before: Tensor) -> Tensor:
        """Logits (batch, bars, steps, tokens) from bars' vectors and the tokens before each step."""
        batch, bars, steps = before.shape
        x = self.token_out(before) + self.bar_out(bar).view(batch, bars, steps, -1)
        x = x.flatten(0, 1)
        for block in self.decoder:
            x = block(x)
        out: Tensor = self.head(self.decoder_norm(x)).view(batch, bars, steps, -1)
        return out

    def before(self, grid: Tensor) -> Tensor:
        """What stands before each step of a bar: nothing before the first."""
        return F.pad(grid[:, :, :-1], (1, 0), value=PAD)


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL of each posterior from the standard normal, in nats, (batch,)."""
    return 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).sum(1)
