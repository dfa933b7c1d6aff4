"""Measurements: quality beside speed, seeded, always as ratios to a baseline in the same run."""
