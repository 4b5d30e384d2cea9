"""How accurate usmicro is, and how fast."""
