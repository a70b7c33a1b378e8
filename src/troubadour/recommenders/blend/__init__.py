"""Weighted blends of recommenders, and their selection on validation data."""
