"""Analysis of scores and recordings: key, chords, form, style, mood, difficulty, each with evidence."""
