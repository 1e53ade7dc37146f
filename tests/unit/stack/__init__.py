"""The local stack without starting it."""
