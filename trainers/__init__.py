"""Offline: recordings into models."""
