"""Readers of listening data exported by other services, one module per format."""
