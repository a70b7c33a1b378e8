"""The catalogue: pieces, listeners and what they did, in one SQLite file."""
