"""Throughput and latency of the webhook: through the real API server by dry-run creates, and directly over TLS."""
