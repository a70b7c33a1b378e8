"""Where music comes from: built-in collections and folders."""
