"""Errors, settings, plugin registry, threads and top-n selection: what every other package may use."""
