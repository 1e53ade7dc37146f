"""Shared parts of the recipes that train on normal clips alone."""
