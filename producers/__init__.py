"""Producers: sound from devices, files and sensors into Kafka."""
