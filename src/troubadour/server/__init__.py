"""The web face: REST API and page."""
