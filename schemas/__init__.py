"""The contract: what travels between Tocsin's processes and what is stored."""
