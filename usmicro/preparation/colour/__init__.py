"""Colour on the screen: colour box, colour bar and tint, separated from the grey image."""
