"""Reliability of runs: kills, damaged files, large files, many files."""
