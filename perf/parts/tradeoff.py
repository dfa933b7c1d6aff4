"""What headroom costs: $/h against the headroom that a hundredth of the nodes fall short of."""

from __future__ import annotations

from typing import Any

from perf.part import Context, Data, Part, takes
from perf.report.figures import lines
from perf.report.section import Plot, Section, Table
from perf.tradeoff.__main__ import measure

_CURVES = {
    "plans": (
        "budget_permille",
        "Plans of seeded backlogs, by what share of the price the solver may spend on headroom",
    ),
    "replay": ("weight_percent", "The Azure arrivals under the greedy walk, by the weight of latency against money"),
}


def _measure(context: Context) -> Data:
    context.progress.update("plans and replays, from cheap to roomy")
    return measure(short=context.short)


def _section(data: Data) -> Section:
    return Section(
        "Price against headroom",
        "Packing tighter is cheaper and leaves less room for peaks. Each point is one setting; headroom is the CPU that is not requested "
        "on a node in use, and p99 is the least of it once the tightest hundredth of the nodes is left out.",
        [Plot(f"{says}.", _curve(data[name])) for name, (_, says) in _CURVES.items()],
        [_table(data[name], key, says) for name, (key, says) in _CURVES.items()],
    )


def _curve(rows: list[dict[str, Any]]) -> dict[str, Any]:
    prices = [row["usd_per_hour"] for row in rows]
    headroom = [row["headroom_p99_permille"] / 10 for row in rows]
    figure = lines(prices, {"stowplan": headroom}, ("$/h of the nodes in use", "p99 headroom, %"))
    figure["layout"]["xaxis"]["tickprefix"] = "$"
    return figure


def _table(rows: list[dict[str, Any]], key: str, title: str) -> Table:
    return Table(
        title,
        (key.replace("_", " "), "$/h", "p99 headroom", "mean penalty", "unplaced"),
        [
            (
                str(row[key]),
                f"{row['usd_per_hour']:.2f}",
                f"{row['headroom_p99_permille'] / 10:.1f} %",
                f"{row['penalty_mean']:.0f}",
                str(row["unplaced"]),
            )
            for row in rows
        ],
    )


PART = Part("tradeoff", _measure, _section, takes=takes(6, 280))
