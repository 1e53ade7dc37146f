"""Sending to Kafka: connection, publishing, outages."""
