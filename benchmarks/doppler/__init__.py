"""Colour Doppler and tracks on simulated clips."""
