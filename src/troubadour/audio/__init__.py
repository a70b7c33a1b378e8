"""Recordings: decoding, tags, and audio features."""
