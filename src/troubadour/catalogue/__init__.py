"""Catalogue: pieces, listeners and interactions in one SQLite file."""
