"""Work that is interrupted takes back what it has half done, whichever signal it is."""

from __future__ import annotations

import asyncio
import signal

import pytest

from stowplan.cli.interruption import Interrupted, is_interrupted, run
from stowplan.cli.moves import again_and_again
from stowplan.kube.errors import Unreachable

SIGNALS = [signal.SIGINT, signal.SIGTERM]


def test_work_that_is_left_alone_gives_its_result_and_the_handlers_are_as_before() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]

    async def work() -> tuple[int, bool]:
        return 7, is_interrupted()

    assert run(work()) == (7, False)
    assert [signal.getsignal(number) for number in SIGNALS] == before


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_cancels_the_work_and_what_it_takes_back_is_waited_for(number: signal.Signals) -> None:
    taken_back: list[bool] = []

    async def work() -> None:
        signal.raise_signal(number)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            taken_back.append(is_interrupted())

    with pytest.raises(Interrupted, match=f"interrupted by {number.name}") as end:
        run(work())

    assert end.value.number is number
    assert taken_back == [True]


async def _cancelled_by_itself() -> None:
    raise asyncio.CancelledError


def test_a_cancellation_that_is_no_interruption_stays_one() -> None:
    with pytest.raises(asyncio.CancelledError):
        run(_cancelled_by_itself())


def test_rounds_end_also_where_what_was_half_done_could_not_be_taken_back() -> None:
    async def half_done(_: object) -> tuple[object, list[object]]:
        signal.raise_signal(signal.SIGTERM)
        try:
            await asyncio.Event().wait()
        finally:
            raise Unreachable("cut off")

    with pytest.raises(Unreachable, match="cut off"):
        run(again_and_again(half_done, lambda *_: None, 300.0))  # type: ignore[arg-type] # it never returns
