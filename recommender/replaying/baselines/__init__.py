"""Right-sizers of others, re-implemented from their description for comparison on the same recording."""
