"""Posterior acoustic features: shadow behind foci, shadowing and enhancement behind masses."""
