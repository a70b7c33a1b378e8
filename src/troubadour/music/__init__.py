"""Scores and pieces: reading, writing, quantising, tokens and the grammar over them, sound."""
