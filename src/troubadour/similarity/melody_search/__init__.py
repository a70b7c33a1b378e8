"""Melody search, invariant to transposition and tempo."""
