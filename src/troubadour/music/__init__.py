"""Scores and what can be computed from them: theory, quantising, melodies, features and fingerprints."""
