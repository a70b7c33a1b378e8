"""The contexts in which music is recommended: because of a piece, discovery, radio, charts, trends."""
