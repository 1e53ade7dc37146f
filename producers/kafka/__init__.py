"""How sound reaches Kafka: connection, publishing, outages."""
