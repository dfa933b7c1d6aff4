"""A real Kubernetes control plane on one machine, with fake nodes: built from Go modules, ready in seconds.

etcd, kube-apiserver, kube-controller-manager, kube-scheduler and KWOK run as ordinary processes on loopback,
as the user who starts them. `control_plane.ControlPlane` is the way in from Python, ``stowplan sandbox`` by hand.
"""
