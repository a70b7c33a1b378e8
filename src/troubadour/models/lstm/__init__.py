"""The LSTM family."""
