"""Versioned model artefacts and releases."""
