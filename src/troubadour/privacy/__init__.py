"""Data export and erasure for listeners."""
