"""Colour Doppler: velocities read back from colours, and twinkling."""
