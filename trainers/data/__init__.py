"""Training data: decoding, loading, labels, augmentation, synthetic sets."""
