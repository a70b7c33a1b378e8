"""Versioned model artefacts and the releases that name matching sets of them."""
