"""Accuracy on labelled and simulated scans."""
