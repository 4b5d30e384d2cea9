"""Compiled loops: arrays in, arrays out. They know no types of the domain and no files.

Images have shape (rows, columns). Kernels write into arrays that the caller allocates, so that
buffers can be reused. Each kernel has an equivalent in plain NumPy in `tests/kernels`.
"""
