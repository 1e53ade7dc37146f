"""Benchmarks: `python -m benchmarks.NAME` prints a result as JSON and saves it in `benchmarks/results/`."""
