"""Instance types and their prices, shipped as a small table."""
