"""The training recipes, side by side."""
