"""What is remembered of one container: a sketch of each of its last 56 days (or runs), 2.7 KiB in all, whatever the sample rate.

A sketch of a day holds 18 CPU means, one per band of ranks (fine at the top, where requests are decided), the memory peak, the mean CPU
of the last two hours and the number of samples. Old days are weighed down when they are read (see recommender.forecasting.analogs), so the
decay can differ by class. A job's run takes the place of a day.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recommender.amounts import Floats, Ints
from recommender.remembering.codes import MISSING, Codes, decode, encode

DAYS: Final = 56
"""Days (or runs) remembered: eight weeks."""
EDGES: Final[Floats] = np.array(
    [0, 0.2, 0.4, 0.55, 0.65, 0.72, 0.78, 0.83, 0.87, 0.9, 0.92, 0.94, 0.955, 0.965, 0.975, 0.983, 0.99, 0.9966, 1.0]
)
"""Ranks that divide a day's samples into bands."""
BAND_SHARES: Final[Floats] = np.diff(EDGES)
BANDS: Final = len(BAND_SHARES)
P95_BAND: Final = 11
"""The band [0.94, 0.955)."""
LATE_S: Final = 7200
_FORMAT: Final = 1
_COLUMNS: Final = BANDS + 3


@dataclass(frozen=True, slots=True)
class Sketch:
    """One day of one container."""

    cpu: Floats
    """Mean millicores of each band of ranks, ascending."""
    late_cpu: float
    """Mean millicores of the last two hours."""
    memory_peak: float
    """Bytes; NaN where memory is not recorded."""
    samples: int


def sketch(t_s: Ints, cpu: Floats, memory: Floats) -> Sketch:
    """Sketch of the samples of one day, at least one, in the order of time."""
    ranked = np.sort(cpu)
    count = len(ranked)
    ends = np.floor(EDGES * count + 1e-9).astype(np.int64)
    sums = np.diff(np.concatenate(([0.0], ranked.cumsum()))[ends])
    sizes = np.diff(ends)
    nearest = ranked[np.clip(ends[1:] - 1, 0, count - 1)]
    bands = np.where(sizes > 0, sums / np.maximum(sizes, 1), nearest)
    known = memory[np.isfinite(memory)]
    peak = float(known.max()) if len(known) else float("nan")
    return Sketch(np.maximum.accumulate(bands), float(cpu[t_s > t_s[-1] - LATE_S].mean()), peak, count)


class History:
    """The last 56 days of one container, by days since the epoch (runs: by number); a day added again replaces what was known."""

    __slots__ = ("codes", "days")

    def __init__(self) -> None:
        self.days: Ints = np.full(DAYS, -1, dtype=np.int64)
        self.codes: Codes = np.full((DAYS, _COLUMNS), MISSING, dtype=np.uint16)

    def add(self, day: int, of_day: Sketch) -> None:
        """Remember a day and forget the one 56 days before it."""
        slot = day % DAYS
        amounts = np.array([of_day.late_cpu, of_day.memory_peak])
        self.codes[slot, :BANDS] = encode(of_day.cpu)
        self.codes[slot, BANDS : BANDS + 2] = encode(amounts)
        self.codes[slot, BANDS + 2] = min(of_day.samples, MISSING - 1)
        self.days[slot] = day

    def record_oom(self, day: int, limit: float, bump_percent: int) -> None:
        """An OOM kill at a limit in bytes counts as a peak of max(limit + 100 MiB, bump % of limit) on that day (VPA's rule)."""
        slot = day % DAYS
        needed = max(limit + 100 * 2**20, limit * bump_percent / 100)
        if self.days[slot] == day:
            peak = decode(self.codes[slot, BANDS + 1 : BANDS + 2])[0]
            self.codes[slot, BANDS + 1] = encode(np.array([np.fmax(peak, needed)]))[0]

    def checkpoint(self) -> str:
        """Everything as text for a WorkloadProfile, at most 3.6 KiB."""
        order = np.argsort(self.days)
        known = order[self.days[order] >= 0]
        raw = self.days[known].astype("<i4").tobytes() + self.codes[known].astype("<u2").T.tobytes()
        return f"{_FORMAT}:{base64.b64encode(zlib.compress(raw, 9)).decode()}"

    @classmethod
    def from_checkpoint(cls, text: str) -> History:
        """The history of a checkpoint.

        Raises:
            ValueError: the text is of another format or damaged; the workload then has to be learned again.
        """
        version, _, payload = text.partition(":")
        if version != str(_FORMAT):
            raise ValueError(f"checkpoint format {version[:8]!r} is not {_FORMAT}; drop it and learn again")
        try:
            raw = zlib.decompress(base64.b64decode(payload, validate=True))
        except (ValueError, zlib.error) as error:
            raise ValueError(f"checkpoint is damaged ({error}); drop it and learn again") from error
        row_bytes = 4 + 2 * _COLUMNS
        count = len(raw) // row_bytes
        days = np.frombuffer(raw[: 4 * count], "<i4").astype(np.int64)
        if len(raw) != count * row_bytes or count > DAYS or (days < 0).any() or len(set(days % DAYS)) != count:
            raise ValueError("checkpoint does not hold whole, distinct days; drop it and learn again")
        history = cls()
        history.days[days % DAYS] = days
        history.codes[days % DAYS] = np.frombuffer(raw[4 * count :], "<u2").reshape(_COLUMNS, count).T
        return history


@dataclass(frozen=True)
class Window:
    """The remembered days of many containers before `today`, the newest last; NaN where a container has no such day."""

    today: int
    days: Ints
    """(days,) days since the epoch: today - 56 ... today - 1."""
    cpu: Floats
    """(containers, days, bands) millicores."""
    late_cpu: Floats
    """(containers, days)."""
    memory_peak: Floats
    """(containers, days) bytes."""
    samples: Floats
    """(containers, days); 0 where there is no such day."""

    @property
    def known(self) -> NDArray[np.bool_]:
        """(containers, days) that were observed."""
        return self.samples > 0


def window(histories: Sequence[History], today: int) -> Window:
    """What is known of some containers before `today`."""
    days = np.arange(today - DAYS, today)
    slots = days % DAYS
    codes = np.stack([history.codes[slots] for history in histories])
    known = np.stack([history.days[slots] for history in histories]) == np.where(
        days < 0, DAYS, days
    )  # -1 marks empty slots
    codes = np.where(known[:, :, None], codes, MISSING)
    amounts = decode(codes[:, :, : BANDS + 2])
    samples = np.where(known, codes[:, :, BANDS + 2], 0).astype(np.float64)
    return Window(today, days, amounts[:, :, :BANDS], amounts[:, :, BANDS], amounts[:, :, BANDS + 1], samples)
