"""The recorded use: real values, each workload its machine, in the recommender's terms."""

import numpy as np

from demo.data.prepare_usage import MACHINES, cut
from demo.usage import DAYS, LEARNED_DAYS, machine_of, recordings, usage_of
from tests.support.demo import workload


def test_the_sample_has_the_days_and_machines_that_it_says() -> None:
    sample = recordings()

    assert len(sample) == MACHINES
    for times, shares in sample.values():
        assert DAYS * 288 * 0.99 <= len(times) <= DAYS * 288  # a sample in five minutes
        assert times.min() >= 0
        assert times.max() < DAYS * 86_400
        assert (np.diff(times) > 0).all()
        assert shares.min() >= 0


def test_a_workload_keeps_its_machine_when_others_come_and_go() -> None:
    machines = list(recordings())

    assert machine_of("w", machines) == machine_of("w", machines[::-1])
    gone = next(machine for machine in machines if machine != machine_of("w", machines))
    assert machine_of("w", [machine for machine in machines if machine != gone]) == machine_of("w", machines)


def test_use_is_the_machine_s_share_of_what_the_workload_asks_for() -> None:
    usage = usage_of([workload("b", cores=4), workload("a", cores=1)])

    assert usage.names == (("a", "main"), ("b", "main"))
    assert usage.days == DAYS
    for number, (name, cores) in enumerate((("a", 1), ("b", 4))):
        times, shares = recordings()[machine_of(name, list(recordings()))]
        day = usage.cell(number, LEARNED_DAYS)
        last = shares[times >= LEARNED_DAYS * 86_400]
        assert np.allclose(usage.cpu[day], last * cores * 1000)
    assert np.isnan(usage.memory).all()


def test_the_sample_is_cut_by_completeness_and_hash_alone() -> None:
    import polars as pl  # noqa: PLC0415 - only this test needs it

    start = 1_375_315_200 - 1_372_629_600
    whole = pl.DataFrame({"vm": 1, "t": [start + 300 * n for n in range(DAYS * 288)], "cpu_pct": 1.234})
    part = whole.with_columns(vm=pl.lit(2)).head(DAYS * 288 // 2)

    rows = cut(pl.concat([whole, part]))

    assert rows["vm"].unique().to_list() == [1]
    assert (rows["t"][0], rows["t"][-1], rows["cpu_pct"][0]) == (0, DAYS * 86_400 - 300, 1.23)
