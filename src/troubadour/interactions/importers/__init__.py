"""Readers of what other services export of their listeners' plays, one file each."""
