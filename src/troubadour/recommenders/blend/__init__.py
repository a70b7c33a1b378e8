"""Blends of scoring models, and their choice on validation data."""
