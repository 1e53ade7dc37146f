"""Captures: sound read back from the audio topic into a labelled folder of clips."""
