"""`tocsin models`: one module a kind of command."""
