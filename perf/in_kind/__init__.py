"""What is measured where stowplan runs as pods: a kind cluster whose own nodes stay apart from those that KWOK plays."""
