"""Simulated devices under the serving rule and its rivals."""
