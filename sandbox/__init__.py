"""A real Kubernetes control plane on one machine: etcd, API server, controllers, scheduler and KWOK nodes."""
