"""Loaders of data sets in their published layouts; all give lists of clips."""
