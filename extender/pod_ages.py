"""How old pods are, whatever happens to the system clock."""

from __future__ import annotations

from collections.abc import Callable


class PodAges:
    """Creation times come from the API server, so they have to be compared with wall time; but the system clock may jump.

    Two readings of wall time are asked: the system clock of now, and the one of the start, carried on by the steady clock (on Linux
    the two differ by jumps only: `CLOCK_MONOTONIC` is slewed as the wall clock is). While nothing jumps they agree. After a jump one
    of them is wrong, by the size of the jump: where it calls the pod unborn it is not believed, and of two ages the lesser counts.
    So neither a clock that goes wrong nor one that is put right makes a new pod old. Of a pod older than the jump, first asked about
    after it, the age may be too small by as much. Nobody can tell where the clock was wrong at the start and goes wrong again, or
    where the API server's alone is wrong.

    Args:
        steady: monotonic seconds.
        wall: Unix seconds.
    """

    def __init__(self, steady: Callable[[], float], wall: Callable[[], float]) -> None:
        self._steady = steady
        self._wall = wall
        self._began = wall() - steady()

    def age(self, created_s: float) -> float:
        """Seconds since the creation, never less than 0."""
        readings = (self._wall(), self._began + self._steady())
        return min((now - created_s for now in readings if now >= created_s), default=0.0)
