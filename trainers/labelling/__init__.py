"""Finds stretches of sound to be labelled by a person."""
