"""How each shipped model was trained, from public data."""
