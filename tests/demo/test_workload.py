"""From trace rows to workloads."""

import pytest

from demo.trace import WINDOW_SECONDS, load_sample, read_trace
from demo.workload import Kind, class_of, first_pods, peak_demand, workloads_of
from tests.support.demo import workload

HEADER = "vm,arrival_s,batch,flavor,cores,mem_gib,censored,lifetime_bin,lifetime_lo_s,lifetime_hi_s"
HOUR = 3600


def test_a_row_is_read_in_integer_units_relative_to_the_window() -> None:
    # 1,924,200 is the start of the window; bin 13 is 3900 to 7200 s, its middle 5550 s; 1.75 GiB are 1,879,048,192 bytes.
    (row,) = read_trace([HEADER, "1,1924500,7,b,2,1.75,0,13,3900,7200"])

    assert (row.arrival_s, row.cpu_millicores, row.memory_bytes, row.lifetime_s) == (300, 2000, 1_879_048_192, 5550)


def test_a_vm_that_outlived_the_trace_has_no_end() -> None:
    (row,) = read_trace([HEADER, "1,1924500,7,b,2,3.5,1,40,3900,7200"])

    assert row.lifetime_s is None
    assert row.lifetime_bin is None


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["vm,arrival_s"], "column 'batch' is missing"),
        ([HEADER, "1,soon,7,b,2,3.5,0,1,300,300"], "arrivals.csv:2: .*soon"),
        ([HEADER, "1,1924500,7"], "arrivals.csv:2: "),
    ],
)
def test_a_bad_table_names_line_and_value(lines: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_trace(lines)


@pytest.mark.parametrize(
    ("lifetime_s", "replicas", "expected"),
    [
        (2 * HOUR - 1, 50, "batch"),
        (2 * HOUR, 1, "elastic"),
        (12 * HOUR - 1, 9, "elastic"),
        (12 * HOUR, 9, "standard"),
        (24 * HOUR, 2, "standard"),
        (24 * HOUR, 3, "critical"),
        (None, 1, "standard"),
        (None, 3, "critical"),
    ],
)
def test_class_rule(lifetime_s: int | None, replicas: int, expected: str) -> None:
    assert class_of(lifetime_s, replicas) == expected


def test_equal_vms_of_a_batch_are_one_owner_and_others_are_not() -> None:
    rows = read_trace(
        [
            HEADER,
            "1,1924500,7,b,1,1.75,0,1,300,300",
            "2,1924500,7,b,1,1.75,0,1,300,300",
            "3,1924500,7,k,2,3.5,0,1,300,300",  # another size
            "4,1924500,7,b,1,1.75,0,20,29100,32400",  # another life
            "5,1924500,8,b,1,1.75,0,1,300,300",  # another batch
        ]
    )
    workloads = workloads_of(rows)

    assert [(w.name, w.replicas, w.kind) for w in workloads] == [
        ("batch-7-b-1", 2, Kind.JOB),
        ("batch-7-k-1", 1, Kind.JOB),
        ("batch-7-b-20", 1, Kind.DEPLOYMENT),
        ("batch-8-b-1", 1, Kind.JOB),
    ]
    assert workloads[0].departure_s == 300 + 300


def test_the_sample_is_several_hundred_pods_within_the_window() -> None:
    workloads = workloads_of(load_sample())

    assert sum(w.replicas for w in workloads) == 594  # the rows of the file
    assert len({w.name for w in workloads}) == len(workloads)
    assert {w.workload_class for w in workloads} == {"batch", "elastic", "standard", "critical"}
    assert all(w.arrival_s < WINDOW_SECONDS and (w.departure_s is None or w.departure_s > 0) for w in workloads)
    assert [w.arrival_s for w in workloads] == sorted(w.arrival_s for w in workloads)


def test_the_first_pods_are_whole_workloads() -> None:
    workloads = [workload("a", replicas=2), workload("b", replicas=3), workload("c", replicas=1)]

    assert [w.name for w in first_pods(workloads, 5)] == ["a", "b"]
    assert [w.name for w in first_pods(workloads, 1)] == ["a"]


def test_peak_demand_counts_a_departure_before_an_arrival_at_the_same_time() -> None:
    workloads = [
        workload("a", cores=4, gib=8, arrival_s=-100, departure_s=50),
        workload("b", cores=4, gib=8, arrival_s=50),
        workload("c", replicas=2, cores=1, gib=1, arrival_s=60),
    ]
    # Up to 50 s: 4 cores, 8 GiB. From 60 s: 4 + 2 cores, 8 + 2 GiB.
    assert peak_demand(workloads) == (6000, 10 * 2**30)
