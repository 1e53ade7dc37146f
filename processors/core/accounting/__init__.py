"""What becomes of the sound and of the records of a worker, counted without clock or library."""
