"""Speed, measured: `python -m benchmarks.NAME` prints one JSON object and keeps it in `benchmarks/results/`."""
