"""The suite's parts: each module joins a measurement with the section that tells people what it found."""
