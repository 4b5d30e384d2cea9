"""Colour Doppler: velocities read back from the colours, and twinkling of foci."""
