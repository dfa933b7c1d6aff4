"""Process plumbing of the services: settings, TLS, health, metrics, logs, shutdown."""
