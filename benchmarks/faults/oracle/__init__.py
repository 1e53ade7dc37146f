"""The judge of a run: reads the topics' bytes by itself and shares no code with the stream or the contract."""
