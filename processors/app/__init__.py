"""The worker process: Faust wiring, batch loop, watchdog, shutdown, supervisor."""
