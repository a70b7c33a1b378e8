"""Music theory: names of notes, keys, scales and metres. Scores are built on these values."""
