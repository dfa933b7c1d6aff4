"""Where usage comes from: metrics.k8s.io, Prometheus, and incidents from pods and events."""
