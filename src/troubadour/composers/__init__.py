"""Models that compose, the rules that keep their output valid, and how they are trained."""
