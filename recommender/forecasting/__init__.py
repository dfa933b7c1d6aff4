"""From remembered days to the distribution of tomorrow: CPU use, memory peaks, and days unlike any seen."""
