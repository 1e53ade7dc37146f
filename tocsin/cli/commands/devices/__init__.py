"""`tocsin devices`: one module a command."""
