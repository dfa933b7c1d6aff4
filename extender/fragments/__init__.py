"""GPU that is free and yet of no use to the pods that come: the mix of pods as observed, and how much each placement makes unusable."""
