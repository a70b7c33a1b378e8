"""Nearest pieces by content, and melodies found whatever their key and tempo."""
