"""Sound of a make-believe factory, deterministic by seed: for the demo, the tests and training."""
