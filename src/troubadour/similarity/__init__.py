"""Nearest neighbours by content or sound, and melody search."""
