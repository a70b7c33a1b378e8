"""Melody search in any key and at any tempo."""
