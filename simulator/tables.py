"""Nodes and pods from CSV files (also gzip): every column checked, errors with file, line and column."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final, TypeVar

from extender.binpacking.prices import worth
from simulator.trace import GPU_SCALE, NodeRow, PodRow, PodShape

_MIB: Final = 2**20
_GZIP_MAGIC: Final = b"\x1f\x8b"
_LARGEST: Final = 10**12
"""Far above anything real, and far below what integers of 64 bits hold once amounts are summed."""
_NODE_COLUMNS: Final = (
    "name", "cpu_millicores", "memory_mib", "gpu_count", "gpu_model", "zone", "price_per_hour", "capacity_type", "max_pods",
)  # fmt: skip
_POD_COLUMNS: Final = (
    "name", "owner", "namespace", "class", "cpu_millicores", "memory_mib", "gpu_count", "gpu_milli", "gpu_models",
    "max_per_node", "arrival_s", "departure_s",
)  # fmt: skip
_T = TypeVar("_T", NodeRow, PodRow)
_CAPACITY_TYPES: Final = ("on-demand", "spot", "reserved")


class TableError(ValueError):
    """A table that cannot be used: the message names file, line, column, value and remedy."""


class Row:
    """One line of a table; every getter checks what it reads."""

    def __init__(self, file: str, line: int, values: Mapping[str, str]) -> None:
        self._file, self._line, self._values = file, line, values

    def text(self, column: str, default: str = "") -> str:
        """The trimmed text of a column, or the default where it is absent or empty."""
        return self._values.get(column, "") or default

    def whole(self, column: str, default: int | None = None, *, least: int = 0, most: int = _LARGEST) -> int:
        """A whole number (`12` or `12.0`) between bounds. Without a default the column must be there and filled."""
        value = self.text(column)
        if not value and default is not None:
            return default
        number = re.fullmatch(r"(-?\d{1,18})(?:\.0*)?", value, re.ASCII)
        if number is None or not least <= int(number[1]) <= most:
            raise self.error(column, value, f"it must be a whole number from {least} to {most}")
        return int(number[1])

    def dollars(self, column: str) -> int | None:
        """Dollars an hour as micro-dollars; None where absent or empty."""
        value = self.text(column)
        if not value:
            return None
        if not re.fullmatch(r"\d{1,9}(\.\d{0,12})?", value, re.ASCII):
            raise self.error(column, value, "it must be dollars an hour, as in 0.192")
        return int((Decimal(value) * 1_000_000).to_integral_value())

    def error(self, column: str, value: str, remedy: str) -> TableError:
        """What is wrong with a column of this line."""
        return TableError(f"{self._file}:{self._line}: column {column!r} is {value!r}; {remedy}")


def read_nodes(path: Path) -> tuple[NodeRow, ...]:
    """The nodes (or node types) of a table, in its order.

    Raises:
        TableError: a column is unknown or missing, a value makes no sense, a name comes twice, or there is no row.
        OSError: the file cannot be read.
    """
    rows = tuple(_unique((row, _node(row)) for row in _rows(path, _NODE_COLUMNS)))
    if not rows:
        raise TableError(f"{path}: there is no node; add at least one row")
    return rows


def read_pods(path: Path) -> tuple[tuple[PodRow, ...], bool]:
    """The pods of a table in order of arrival, and whether they have times.

    Raises:
        TableError: as `read_nodes`; or a pod departs before it arrives, or asks for an impossible share of a GPU.
        OSError: the file cannot be read.
    """
    pods = list(_unique((row, _pod(row, index)) for index, row in enumerate(_rows(path, _POD_COLUMNS))))
    timed = any(pod.arrival_s or pod.departure_s is not None for pod in pods)
    return tuple(sorted(pods, key=lambda pod: (pod.arrival_s, pod.index))), timed


def _node(row: Row) -> NodeRow:
    cpu = row.whole("cpu_millicores", least=1)
    memory = row.whole("memory_mib", least=1) * _MIB
    gpus = row.whole("gpu_count", 0, most=64)
    price = row.dollars("price_per_hour")
    estimate = worth("cpu", cpu) + worth("memory", memory) + worth("nvidia.com/gpu", gpus)
    capacity_type = row.text("capacity_type", "on-demand")
    if capacity_type not in _CAPACITY_TYPES:
        raise row.error("capacity_type", capacity_type, f"it must be one of {', '.join(_CAPACITY_TYPES)}")
    return NodeRow(
        name=_name(row),
        cpu_millicores=cpu,
        memory_bytes=memory,
        gpu_count=gpus,
        gpu_model=row.text("gpu_model"),
        zone=row.text("zone"),
        price_micro_usd_per_hour=estimate if price is None else price,
        capacity_type=capacity_type,
        max_pods=row.whole("max_pods", 110, least=1),
    )


def _pod(row: Row, index: int) -> PodRow:
    arrival = row.whole("arrival_s", 0)
    departure = row.whole("departure_s") if row.text("departure_s") else None
    if departure is not None and departure < arrival:
        raise row.error("departure_s", str(departure), f"it must not be before arrival_s, {arrival}")
    return PodRow(
        index=index,
        name=_name(row),
        shape=_shape(row),
        owner=row.text("owner"),
        namespace=row.text("namespace", "default"),
        workload_class=row.text("class"),
        max_per_node=row.whole("max_per_node", 0),
        arrival_s=arrival,
        departure_s=departure,
    )


def _shape(row: Row) -> PodShape:
    gpus = row.whole("gpu_count", 0, most=64)
    milli = row.whole("gpu_milli", GPU_SCALE if gpus else 0, most=GPU_SCALE)
    if gpus > 1 and milli != GPU_SCALE:
        raise row.error(
            "gpu_milli", str(milli), f"a pod with {gpus} GPUs takes whole ones: leave it empty or set {GPU_SCALE}"
        )
    if gpus == 1 and milli == 0:
        raise row.error(
            "gpu_milli", "0", "a pod with a GPU takes at least one thousandth of it: leave it empty for a whole one"
        )
    if gpus == 0 and milli:
        raise row.error("gpu_milli", str(milli), "gpu_count is 0: set it to 1 for a share of one GPU")
    models = tuple(sorted({name.strip() for name in row.text("gpu_models").split("|") if name.strip()}))
    return PodShape(
        row.whole("cpu_millicores"),
        row.whole("memory_mib") * _MIB,
        gpus,
        milli,
        models if gpus else (),
    )


def _name(row: Row) -> str:
    name = row.text("name")
    if not name:
        raise row.error("name", "", "give it a name")
    return name


def _unique(rows: Iterable[tuple[Row, _T]]) -> Iterator[_T]:
    """The rows' values, as long as their names differ."""
    seen: set[str] = set()
    for row, value in rows:
        if value.name in seen:
            raise row.error("name", value.name, "it comes twice; rename or remove one of the rows")
        seen.add(value.name)
        yield value


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[Row]:
    """The lines of a table below its header; empty lines are passed over."""
    try:
        reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
        header = [name.strip() for name in next(reader, [])]
        _check_header(path, header, columns)
        for values in reader:
            if not values:
                continue
            if len(values) != len(header):
                raise TableError(
                    f"{path}:{reader.line_num}: {len(values)} fields under {len(header)} columns; check commas and quotes"
                )
            cells = (value.strip() for value in values)
            yield Row(str(path), reader.line_num, dict(zip(header, cells, strict=True)))
    except csv.Error as error:
        raise TableError(f"{path}: this is no CSV, {error}; export it again with commas and double quotes") from error


def _text(path: Path) -> str:
    content = path.read_bytes()
    try:
        if content.startswith(_GZIP_MAGIC):
            content = gzip.decompress(content)
        return content.decode("utf-8-sig")
    except (EOFError, OSError, zlib.error) as error:
        raise TableError(f"{path}: its gzip data is broken, {error}; compress it again") from error
    except UnicodeDecodeError as error:
        raise TableError(f"{path}: byte {error.start} is not UTF-8; save it as UTF-8") from error


def _check_header(path: Path, header: list[str], columns: tuple[str, ...]) -> None:
    known = ", ".join(columns)
    for name in header:
        if name not in columns:
            raise TableError(f"{path}:1: column {name!r} is unknown; the columns are {known}")
        if header.count(name) > 1:
            raise TableError(f"{path}:1: column {name!r} comes twice; remove one")
    for name in ("name", "cpu_millicores", "memory_mib"):
        if name not in header:
            raise TableError(
                f"{path}:1: column {name!r} is missing; the header must name {known}; name, cpu_millicores and memory_mib must be there"
            )
