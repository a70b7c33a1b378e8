"""What listeners did: plays, likes, skips and ratings as immutable columns."""
