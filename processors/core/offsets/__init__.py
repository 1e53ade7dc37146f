"""Which Kafka offsets may be committed."""
