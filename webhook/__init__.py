"""The mutating admission webhook: right-sizes pods by class, or stands aside."""
