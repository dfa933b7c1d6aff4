"""`python -m perf`: measure, print tables, judge the gates, write JSON and the report. See docs/perf.md."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from perf import history, results, terminal
from perf.calibration import proposal
from perf.cluster import PlaceName
from perf.expectation import announcement, expected_seconds, in_words
from perf.gate_file import read_gates
from perf.gates import Gate, Verdict, judge
from perf.part import Data, Part, Profile
from perf.registry import PARTS
from perf.report.page import report_html
from perf.report.section import Section
from perf.report.trends import trends
from perf.results import PartResult
from perf.runner import chosen, failed, run

BROKEN: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 130
"""As shells tell of a program that Ctrl-C ended."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the suite; 0 if all was measured and all gates hold, 1 if not, 2 for options that make no sense, 130 if interrupted."""
    parser = _parser()
    options = parser.parse_args(argv)
    profile = Profile.SHORT if options.short else Profile.FULL
    console = Console()
    try:
        gates = read_gates()
        if options.list:
            _list(console, options.cluster)
            return 0
        if options.propose:
            sys.stdout.write(proposal(gates, _history(options.output), profile))
            return 0
        available = [part for part in PARTS if options.cluster in part.places]
        parts = chosen(available, options.parts, profile)
        measured: dict[str, PartResult] = {}
        interrupted = not options.report and not _measure(parts, profile, options, console, measured)
        status = _conclude(options, profile, gates, measured, console)
    except ValueError as error:
        parser.exit(USAGE, f"perf: {error}\n")
    return INTERRUPTED if interrupted else status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m perf", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("build/perf"), help="directory of the results")
    parser.add_argument("--short", action="store_true", help="every part in small, as CI runs it")
    parser.add_argument("--parts", nargs="+", default=[], metavar="PART", help="only these; see --list")
    parser.add_argument(
        "--traces", type=Path, help="folder of whole recordings; without it the shipped samples are used"
    )
    parser.add_argument(
        "--cluster",
        type=PlaceName,
        choices=list(PlaceName),
        default=PlaceName.SANDBOX,
        help="where parts that need a cluster with stowplan in it find one; kind and current run those parts only",
    )
    parser.add_argument("--list", action="store_true", help="name the parts and end")
    parser.add_argument("--report", action="store_true", help="measure nothing: judge and report what is there")
    parser.add_argument("--record", action="store_true", help="also append to the history under version control")
    parser.add_argument("--propose", action="store_true", help="print bounds for gates.toml from the history and end")
    return parser


def _list(console: Console, place: PlaceName) -> None:
    for part in PARTS:
        if place not in part.places:
            continue
        where = ", ".join(sorted(part.profiles)) or "only by name"
        takes = part.takes_in_kind if place is PlaceName.KIND else part.takes
        times = ", ".join(f"{profile} {in_words(seconds)}" for profile, seconds in sorted(takes.items()))
        console.print(f"{part.name:<16} {where:<12} {times}".rstrip(), highlight=False)


def _measure(
    parts: Sequence[Part],
    profile: Profile,
    options: argparse.Namespace,
    console: Console,
    measured: dict[str, PartResult],
) -> bool:
    """Run the parts; each result is stored and its tables are shown as soon as it is there. False if somebody interrupted."""
    expected = expected_seconds(parts, profile, results.load(options.output), options.cluster)
    console.print(announcement(parts, expected), highlight=False, soft_wrap=True)
    words = {name: in_words(seconds) for name, seconds in expected.items()}
    try:
        for part, result in run(parts, profile, place=options.cluster, traces=options.traces, expected=words):
            results.store(options.output, result)
            measured[part.name] = result
            if result.data is not None:
                terminal.show_section(_section(part, result.data), console)
    except KeyboardInterrupt:
        console.print(f"[bold red]interrupted[/] after {len(measured)} of {len(parts)} parts; what they found is kept")
        return False
    return True


def _conclude(
    options: argparse.Namespace, profile: Profile, gates: list[Gate], measured: dict[str, PartResult], console: Console
) -> int:
    """Judge, keep the figures, write the report over everything that is there, say what is broken."""
    stored = results.load(options.output)
    order = [part.name for part in PARTS]
    shown = {name: stored[name] for name in order if name in stored and stored[name].profile is profile}
    judged = shown if options.report else measured
    verdicts = judge(gates, judged, profile)
    added = [] if options.report else history.entries(verdicts, measured)
    history.append(options.output / "history.jsonl", added)
    if options.record:
        history.append(history.RECORDED, added)
    page = report_html(
        shown,
        _sections(shown),
        judge(gates, shown, profile),
        trends(gates, _history(options.output), profile),
        profile,
    )
    report = options.output / "report.html"
    report.write_text(page, encoding="utf-8")
    gate_path = options.output / "gates.json"
    gate_path.write_text(json.dumps([_as_json(verdict) for verdict in verdicts], indent=1) + "\n", encoding="utf-8")
    terminal.show_gates(verdicts, console)
    files = {"results": str(options.output / "parts"), "gates": str(gate_path), "report": str(report)}
    terminal.show_summary(verdicts, files, console)
    for result in failed(judged.values()):
        console.print(f"[bold red]FAILED[/] part {result.part}: {result.error}", highlight=False, soft_wrap=True)
    return BROKEN if failed(judged.values()) or any(verdict.broken for verdict in verdicts) else 0


def _sections(shown: dict[str, PartResult]) -> dict[str, Section]:
    measured = [(part, shown[part.name].data) for part in PARTS if part.name in shown]
    return {part.name: _section(part, data) for part, data in measured if data is not None}


def _section(part: Part, data: Data) -> Section:
    """What the part makes of its data; a note where another version of the part has written it."""
    try:
        return part.section(data)
    except (LookupError, TypeError, ValueError, ArithmeticError) as error:
        return Section(
            part.name, f"This data was written by another version of the part ({error!r}); measure it again."
        )


def _history(output: Path) -> list[history.Entry]:
    return history.merged(history.read(history.RECORDED), history.read(output / "history.jsonl"))


def _as_json(verdict: Verdict) -> dict[str, Any]:
    bound = verdict.bound
    return {
        "gate": verdict.gate.name,
        "part": verdict.gate.part,
        "profile": verdict.profile.value,
        "status": verdict.status.value,
        "value": verdict.value,
        "samples": list(verdict.samples),
        "direction": verdict.gate.direction.value,
        "unit": verdict.gate.unit,
        "bound": asdict(bound) if bound else None,
        "distance": verdict.distance,
        "target": verdict.gate.target,
        "reaches_target": verdict.reaches_target,
        "note": verdict.note,
    }


if __name__ == "__main__":
    sys.exit(main())
