"""Captures: sound from the audio topic as a folder of labelled clips."""
