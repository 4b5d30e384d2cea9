"""Labels: where each focus lies, and which foci form a cluster."""
