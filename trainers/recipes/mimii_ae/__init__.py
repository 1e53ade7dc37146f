"""MIMII's baseline autoencoder."""
