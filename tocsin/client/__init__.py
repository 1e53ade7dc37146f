"""Reading and writing Tocsin's topics as any consumer does."""
