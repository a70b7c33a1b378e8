"""What a score is: key, chords, form, style, mood, difficulty, each with its evidence."""
