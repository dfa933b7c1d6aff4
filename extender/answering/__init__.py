"""The scheduler's calls and people's questions: bytes in, bytes out."""
