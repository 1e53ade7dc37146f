"""A real Kafka and a real Redis as child processes in a data folder, without Docker."""
