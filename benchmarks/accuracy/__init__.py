"""Accuracy against labelled scans and simulated ones: `python -m benchmarks.accuracy DATA`."""
