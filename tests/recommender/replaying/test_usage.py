"""Reading and checking recorded usage."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from recommender.replaying.usage import UsageError, read_usage, usage_of
from tests.support.usage import recording

HEADER = "workload,container,t_s,cpu_cores,memory_bytes"


def write(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "usage.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def test_rows_are_sorted_by_container_then_time_in_project_units(tmp_path: Path) -> None:
    usage = read_usage(write(tmp_path, "b,x,60,0.5,100", "a,x,120,0.25,", "a,x,60,1.5,300"))
    assert usage.names == (("a", "x"), ("b", "x"))
    assert usage.container.tolist() == [0, 0, 1]
    assert usage.t_s.tolist() == [60, 120, 60]
    assert usage.cpu.tolist() == [1500.0, 250.0, 500.0]
    assert np.isnan(usage.memory[1])
    assert np.isnan(usage.cpu_provisioned).all()


def test_gzip_and_parquet_read_the_same(tmp_path: Path) -> None:
    plain = write(tmp_path, "a,x,60,0.5,100", "a,x,120,0.25,200")
    zipped = tmp_path / "usage.csv.gz"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    parquet = tmp_path / "usage.parquet"
    pl.read_csv(plain).write_parquet(parquet)
    for path in (zipped, parquet):
        assert read_usage(path).cpu.tolist() == read_usage(plain).cpu.tolist()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a,x,60,-1,100", "usage.csv:3: cpu_cores is '-1'"),
        ("a,x,soon,1,100", "usage.csv:3: t_s is 'soon'"),
        ("a,x,61,1,many", "usage.csv:3: memory_bytes is 'many'"),
        ("a,x,61,,1", "usage.csv:3: cpu_cores is None"),
        (",x,61,1,1", "usage.csv:3: workload is None"),
        ("a,x,61,inf,1", "usage.csv:3: cpu_cores is 'inf'"),
        ("a,x,30,1,1", "usage.csv:3: t_s 30 comes twice for a/x"),
    ],
)
def test_a_row_that_makes_no_sense_is_named_with_line_and_column(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(UsageError, match=r"usage\.csv") as error:
        read_usage(write(tmp_path, "a,x,30,1,100", row))
    assert message in str(error.value)


def test_a_missing_column_and_an_empty_file_are_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="column memory_bytes is missing"):
        read_usage(write(tmp_path, "a,x,30,1", header="workload,container,t_s,cpu_cores"))
    with pytest.raises(UsageError, match="no rows"):
        read_usage(write(tmp_path))
    with pytest.raises(UsageError, match="cannot be read"):
        read_usage(tmp_path / "absent.csv")


def test_days_are_utc_days_and_cells_hold_their_samples() -> None:
    usage = recording({"a": list(range(50)), "b": [1.0] * 24})
    assert usage.days == 3  # 50 hourly samples from midnight: 24 + 24 + 2
    assert usage.cpu[usage.cell(0, 1)].tolist() == [float(v) for v in range(24, 48)]
    assert usage.cpu[usage.cell(1, 1)].tolist() == []
    assert usage.step_s[0] == 3600


def test_the_daily_maximum_ignores_what_is_not_known() -> None:
    usage = recording({"a": [1.0] * 25}, {"a": [5.0, float("nan"), 9.0, *[2.0] * 21, float("nan")]})
    peaks = usage.daily_max(usage.memory)
    assert peaks[0, 0] == 9.0
    assert np.isnan(peaks[0, 1])


def test_a_table_without_optional_columns_is_complete() -> None:
    frame = pl.DataFrame(
        {"workload": ["a"], "container": ["x"], "t_s": [0], "cpu_cores": [0.1], "memory_bytes": [None]}
    )
    assert usage_of(frame, "table").step_s.tolist() == [60.0]
