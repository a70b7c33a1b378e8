"""A causal Transformer over the order in which items were played."""
