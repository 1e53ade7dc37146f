"""How every role connects to Kafka and Redis: addresses, credentials, certificates, and what a refusal means."""
