"""What lies behind a focus or a mass: shadow and enhancement."""
