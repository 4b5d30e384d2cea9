"""One focus or mass over the frames of a cine."""
