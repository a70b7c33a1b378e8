"""Web interface: REST API and page."""
