"""What each speckle filter does to one simulated scan."""
