"""Effect of each speckle filter on one simulated scan."""
