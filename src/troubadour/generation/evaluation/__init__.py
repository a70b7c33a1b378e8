"""Evaluation of composers: descriptors of pieces and collections, and voice leading."""
