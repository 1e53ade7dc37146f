"""Features of recipes other than the serving log-mels."""
