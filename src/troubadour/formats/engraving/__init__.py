"""Engraving of a score: beams, clefs, staves, note values, tuplets and transposition of written parts."""
