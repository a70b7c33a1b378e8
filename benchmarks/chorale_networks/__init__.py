"""Music on a fixed grid, modelled frame by frame: every simultaneous note by the exact chain rule."""
