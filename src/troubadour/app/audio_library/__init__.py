"""Audio library: import of recordings, audio features of all pieces, search by sound and by humming."""
