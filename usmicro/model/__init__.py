"""The central types: arrays, scans, views, anatomy and findings."""
