"""Listening events: immutable logs, histories, id maps, importers, bot filter and simulation."""
