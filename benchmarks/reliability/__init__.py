"""How runs bear kills, damaged files, large files and many files."""
