"""What can go wrong with the demo; every message names the remedy."""


class DemoError(Exception):
    """The demo cannot go on."""
