"""Recommendation surfaces: because of a piece, more like this, discovery, radio, charts, trends."""
