"""The stream: chunks into scores into alerts."""
