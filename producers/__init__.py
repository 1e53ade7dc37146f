"""The edge: sound into Kafka."""
