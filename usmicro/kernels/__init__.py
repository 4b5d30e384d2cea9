"""Compiled loops: arrays in, arrays out. They know no types of the domain and no files.

Images have shape (rows, columns). Kernels write into arrays that the caller allocates, so that
buffers can be reused. Each kernel has an equivalent in plain NumPy in `tests/kernels`.

What a kernel calls is compiled with it at the first run of the program, so kernels copy arrays in
loops. `a[i:j] = b` with an array b would also compile the text of an error message, which takes as
long as three kernels.
"""
