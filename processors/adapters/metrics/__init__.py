"""Prometheus metrics, liveness and readiness of a process over HTTP."""
