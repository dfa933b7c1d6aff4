"""Greedy scorers, one strategy per file."""
