"""`tocsin dataset`: one module a command."""
