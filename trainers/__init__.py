"""Offline training: from recordings to models."""
