"""Numerical helpers without knowledge of ultrasound."""
