"""Pure vocabulary: quantities, resources, pods, nodes, selectors, workload classes, reasons. Standard library only."""
