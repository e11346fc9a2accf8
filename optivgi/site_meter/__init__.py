"""The meter of a building that shares its grid connection with EVs, and what follows from it for their limit."""
