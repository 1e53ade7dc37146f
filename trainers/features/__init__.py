"""Features that recipes compute besides the serving log-mels."""
