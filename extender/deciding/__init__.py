"""From a pod and the nodes offered to the nodes named: the pure decision, and the books it reads."""
