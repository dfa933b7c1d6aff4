"""Runs parts one after the other. A part that fails or hangs is a result too: the others still run, and the suite fails at the end."""

from __future__ import annotations

import gc
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from perf.cluster import PlaceName, place_named
from perf.part import Context, Data, Part, Profile
from perf.results import PartResult, current_commit, this_machine
from sandbox.activity import Activity, PlainActivity, activity

Clock = Callable[[], datetime]
_INTERRUPTED: Final = "interrupted"

LIMITS_S: Final = {Profile.SHORT: 1500.0, Profile.FULL: 4500.0}
"""A part that takes longer hangs: some times what the longest one takes on two cores."""
LIMITS_IN_KIND_S: Final = {Profile.SHORT: 1500.0, Profile.FULL: 2700.0}
"""The same where the cluster is kind's."""


def chosen(parts: Sequence[Part], names: Sequence[str], profile: Profile) -> list[Part]:
    """The parts of these names in the suite's order; without names those of the profile.

    Raises:
        ValueError: there is no part of a name.
    """
    known = {part.name for part in parts}
    for name in names:
        if name not in known:
            raise ValueError(f"part {name!r}: there is no such part; choose from {', '.join(sorted(known))}")
    return [part for part in parts if (part.name in names if names else profile in part.profiles)]


def run(
    parts: Sequence[Part],
    profile: Profile,
    *,
    place: PlaceName = PlaceName.SANDBOX,
    traces: Path | None = None,
    expected: Mapping[str, str] | None = None,
    limit_s: float | None = None,
    clock: Clock = lambda: datetime.now(UTC),
) -> Iterator[tuple[Part, PartResult]]:
    """Measure each part and give its result at once, so that nothing is lost when a later one is interrupted.

    A part that is interrupted itself is given with what it had found, if it had.

    Args:
        parts: in the order in which they run.
        profile: how much of each.
        place: where parts that need a cluster find one.
        traces: whole recordings, if they are there.
        expected: in words how long a part is expected to take, by name; shown while it runs.
        limit_s: seconds after which a part is given up; by profile and place if there is none.
        clock: for the time at which a part began.

    Raises:
        KeyboardInterrupt: after what there was to give.
    """
    commit, machine = current_commit(), this_machine()
    if limit_s is None:
        limit_s = (LIMITS_IN_KIND_S if place is PlaceName.KIND else LIMITS_S)[profile]
    for number, part in enumerate(parts, start=1):
        started, since = clock(), time.perf_counter()
        words = (expected or {}).get(part.name)
        title = f"[{number}/{len(parts)}] {part.name}" + (f" (about {words})" if words else "")
        with _shown(title, part) as progress:
            context = partial(Context, profile, progress, place=place_named(place), traces=traces)
            data, error = _measure(part, context, limit_s)
        yield (
            part,
            PartResult(
                part=part.name,
                profile=profile,
                started_at=started.isoformat(timespec="seconds").replace("+00:00", "Z"),
                seconds=round(time.perf_counter() - since, 1),
                commit=commit,
                command=_command(part, profile, place),
                machine=machine,
                cluster=place.value,
                data=data,
                error=error,
            ),
        )
        if error == _INTERRUPTED:
            raise KeyboardInterrupt


def _measure(part: Part, context: Callable[..., Context], limit_s: float) -> tuple[Data | None, str | None]:
    """The part's data; or what went wrong in a sentence, with what it had found before. The traceback goes to standard error."""
    gc.collect()  # no part pays for the rubbish of the one before
    kept: list[Data] = []
    with tempfile.TemporaryDirectory(prefix=f"stowplan-perf-{part.name}-") as scratch:
        try:
            with _limited(limit_s):
                return part.measure(context(Path(scratch), keep=kept.append)), None
        except KeyboardInterrupt:
            if not kept:
                raise
            return kept[-1], _INTERRUPTED
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to this part
            traceback.print_exc(file=sys.stderr)
            return (kept[-1] if kept else None), f"{type(error).__name__}: {error}"


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Interrupt the block after so long, as Ctrl-C would: event loops and context managers then clean up.

    Raises:
        TimeoutError: it took longer.
    """
    over = threading.Event()

    def interrupt() -> None:
        over.set()
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    # Shells start what runs in the background with the signal ignored, and Python then has no handler for it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(seconds, interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    except KeyboardInterrupt:
        if over.is_set():
            raise TimeoutError(f"not done after {seconds / 60:.0f} min; given up") from None
        raise
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, before)


@contextmanager
def _shown(title: str, part: Part) -> Iterator[Activity]:
    """A live line; plain lines for parts whose processes draw lines of their own."""
    if not part.starts_processes:
        with activity(title) as live:
            yield live
        return
    plain = PlainActivity(title, _write_line)
    yield plain
    plain.end("done")


def _write_line(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _command(part: Part, profile: Profile, place: PlaceName) -> str:
    target = "perf-short" if profile is Profile.SHORT else "perf"
    where = "" if place is PlaceName.SANDBOX else f" CLUSTER={place}"
    return f"make {target}{where} PERF='--parts {part.name}'"


def failed(results: Iterable[PartResult]) -> list[PartResult]:
    """The parts that failed."""
    return [result for result in results if result.error is not None]
