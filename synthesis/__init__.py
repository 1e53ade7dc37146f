"""Sound of a synthetic factory, deterministic by seed, for the demo, tests and training."""
