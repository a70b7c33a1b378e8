"""Sequential model: causal Transformer over listening histories."""
