"""Leaks in water pipes: an autoencoder on features of an anomaly classifier."""
