"""Signal processing: spectra, pitch, rhythm, loudness, harmony, transcription of sung melodies."""
