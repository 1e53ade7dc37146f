"""Simulated devices under the serving threshold rule and under baseline rules."""
