"""I/O, one library a file."""
