"""Burned-in graphics: text, calipers and depth scales."""
