"""The use cases of sound: import recordings, measure pieces, find what sounds alike or was hummed."""
