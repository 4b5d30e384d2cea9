"""Measure tracks in B-mode sweeps: `python -m benchmarks.sweeps`."""
