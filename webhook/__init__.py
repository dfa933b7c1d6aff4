"""The mutating admission webhook: abstraction labels become requests, limits, priority, spread and a reason."""
