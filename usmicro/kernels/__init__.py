"""Numba kernels: arrays in, arrays out; no domain types, no input or output."""
