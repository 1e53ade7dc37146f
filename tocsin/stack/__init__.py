"""A real Kafka and a real Redis as child processes, with a data folder, without Docker."""
