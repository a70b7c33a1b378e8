"""Recordings: reading them safely, and what can be measured of their sound."""
