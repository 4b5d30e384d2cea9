"""Numerical helpers that know nothing of ultrasound."""
