"""Kafka: reading compacted topics, the score history, and readiness."""
