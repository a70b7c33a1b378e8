"""Signal processing: spectra, pitch, rhythm, loudness, harmony, and notes of a sung melody."""
