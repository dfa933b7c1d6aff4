"""The cluster in memory, for decisions and plans."""
