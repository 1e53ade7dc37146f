"""Finds sound events and proposes labels for a person to confirm."""
