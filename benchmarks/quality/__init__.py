"""Every recipe on all it can have here: ``python -m benchmarks.quality``, and the tables in ``docs/appendix``."""
