"""Sources of music: built-in collections and folders."""
