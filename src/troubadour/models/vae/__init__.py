"""The VAE: passages of a melody as points of a space, to sample, blend and move in."""
