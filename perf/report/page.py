"""Assembles the report: what was measured where, all gates, a section per part, the levels of earlier runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from perf.gates import Direction, Status, Verdict, see_more, sentence, worst_first
from perf.part import Profile
from perf.report.section import Figure, Plot, Section, Table
from perf.report.trends import Trend, trend_section
from perf.results import PartResult
from stowplan.page import html_page

_CSS: Final = """
.verdict { font:600 12px/1 system-ui,sans-serif; padding:4px 8px; border-radius:999px; white-space:nowrap; }
.passed { background:#12a59422; color:var(--accent); } .failed,.missing { background:#d6455022; color:#d64550; }
.skipped { background:#8b93a722; color:var(--soft); } td.name { text-align:left; font-weight:600; color:var(--ink); }
td.name span { display:block; font-weight:400; font-size:13.5px; line-height:1.4; color:var(--soft); max-width:52ch; }
nav { margin:26px 0 0; font:14px/1.9 system-ui,sans-serif; }
nav a { color:var(--accent); text-decoration:none; margin-right:16px; } .room { display:inline-block; width:92px; height:8px;
  border-radius:4px; background:var(--grid); position:relative; vertical-align:middle; }
.room i { position:absolute; left:0; top:0; bottom:0; border-radius:4px; background:var(--accent); }
.gates td { white-space:nowrap; } .gates td.name { white-space:normal; min-width:260px; }
.note { font-size:15px; color:var(--soft); margin:12px 2px 0; }
th.again,td.again { text-align:left; white-space:nowrap; } .error { color:#d64550; } .card.bad b { color:#d64550; }
"""

_ROOM: Final = (
    "A bound is what must not get worse, a target what is to be reached in the end. The room is how far a figure is on the good side of "
    "its bound: the bar is half full where the figure is as it was when the bound was set, and empty at the bound."
)


def report_html(
    results: Mapping[str, PartResult],
    sections: Mapping[str, Section],
    verdicts: Sequence[Verdict],
    trends: Sequence[Trend],
    profile: Profile,
) -> str:
    """The whole page.

    Args:
        results: by part, in the order to show.
        sections: of the parts that brought data, by part.
        verdicts: of all gates.
        trends: the gates' earlier figures.
        profile: what was measured.
    """
    shown = {**sections, **({"history": trend_section(trends)} if trends else {})}
    figures: dict[str, Figure] = {}
    body = [_opening(results, verdicts, profile), _navigation(shown), _gates(verdicts), _errors(results)]
    body += [_section(name, section, figures) for name, section in shown.items()]
    body.append(_machine(results))
    return html_page("stowplan perf", "\n".join(body), figures, extra_css=_CSS)


def _opening(results: Mapping[str, PartResult], verdicts: Sequence[Verdict], profile: Profile) -> str:
    broken = sum(verdict.broken for verdict in verdicts)
    judged = [verdict for verdict in verdicts if verdict.status is not Status.SKIPPED]
    targets = [v.reaches_target for v in verdicts if v.reaches_target is not None]
    failed = sum(result.error is not None for result in results.values())
    headline = "Nothing got worse" if not broken and not failed else f"{broken} of {len(judged)} gates are broken"
    if not judged:
        headline = "Measured; no gate applies"
    cards = [
        ("" if broken else "main", f"{len(judged) - broken}/{len(judged)}", "gates hold"),
        ("", f"{sum(targets)}/{len(targets)}", "targets reached, of those measured here"),
        ("", str(len(results) - failed), f"parts measured, {profile} profile"),
        ("", _duration(sum(result.seconds for result in results.values())), "spent measuring"),
    ]
    shown = "".join(
        f'<div class="card {kind}"><b>{escape(n)}</b><span>{escape(w)}</span></div>' for kind, n, w in cards
    )
    return (
        f'<p class="kicker">stowplan perf</p><h1>{escape(headline)}</h1>'
        '<p class="lead">Every figure stands next to a baseline that was measured in the same run, on the same machine, on the same '
        "input. A gate is a bound on such a ratio, or on a figure that no machine can change; it is set from measured runs with a "
        "margin above their spread.</p>"
        f'<div class="cards">{shown}</div>'
    )


def _navigation(sections: Mapping[str, Section]) -> str:
    links = "".join(f'<a href="#{escape(name)}">{escape(section.title)}</a>' for name, section in sections.items())
    return f'<nav><a href="#gates">Gates</a>{links}</nav>'


def _gates(verdicts: Sequence[Verdict]) -> str:
    head = "<tr><th>gate</th><th></th><th>measured</th><th>bound</th><th>room</th><th>target</th></tr>"
    judged = [verdict for verdict in worst_first(verdicts) if verdict.status is not Status.SKIPPED]
    rows = "".join(_gate_row(verdict) for verdict in judged)
    skipped = len(verdicts) - len(judged)
    rest = f'<p class="note">{skipped} more gates do not apply to what was measured.</p>' if skipped else ""
    broken = "".join(
        f'<p class="error">{escape(sentence(v))}<br>More: <code>{escape(see_more(v))}</code></p>'
        for v in judged
        if v.broken
    )
    table = f'<table class="gates"><thead>{head}</thead><tbody>{rows}</tbody></table>'
    return f'<h2 id="gates">Gates</h2><p>{_ROOM}</p>{broken}<div class="scroll">{table}</div>{rest}'


def _gate_row(verdict: Verdict) -> str:
    gate, bound = verdict.gate, verdict.bound
    sign = "≥" if gate.direction is Direction.AT_LEAST else "≤"
    value = "" if verdict.value is None else f"{verdict.value:.4g}"
    limit = "" if bound is None else f"{sign} {bound.bound:.4g}"
    target = "" if gate.target is None else f"{sign} {gate.target:.4g} {'✓' if verdict.reaches_target else '✗'}"
    return (
        f'<tr><td class="name">{escape(gate.name)}<span>{escape(gate.says)}</span></td>'
        f'<td><span class="verdict {verdict.status}">{verdict.status}</span></td>'
        f"<td>{value} {escape(gate.unit)}</td><td>{limit}</td><td>{_room(verdict)}</td><td>{target}</td></tr>"
    )


def _room(verdict: Verdict) -> str:
    """A bar as long as the share of the margin that is left."""
    if verdict.distance is None or verdict.bound is None:
        return ""
    share = max(0.0, min(1.0, verdict.distance / (2 * verdict.bound.margin)))
    return f'<span class="room" title="{verdict.distance:.4g} to spare"><i style="width:{100 * share:.0f}%"></i></span>'


def _errors(results: Mapping[str, PartResult]) -> str:
    return "".join(
        f'<p class="error">Part {escape(name)} failed: {escape(result.error)}</p>'
        for name, result in results.items()
        if result.error is not None
    )


def _section(name: str, section: Section, figures: dict[str, Figure]) -> str:
    plots = "".join(_plot(f"{name}-{number}", plot, figures) for number, plot in enumerate(section.plots))
    tables = "".join(_table(table) for table in section.tables)
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in section.notes)
    return f'<h2 id="{escape(name)}">{escape(section.title)}</h2><p>{escape(section.lead)}</p>{plots}{tables}{notes}'


def _plot(identity: str, plot: Plot, figures: dict[str, Figure]) -> str:
    figures[identity] = plot.figure
    return f'<figure><figcaption>{escape(plot.caption)}</figcaption><div id="{escape(identity)}"></div></figure>'


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in table.columns)
    rows = "".join("<tr>" + "".join(f"<td>{_cell(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    return (
        f"<figure><figcaption><strong>{escape(table.title)}</strong></figcaption>"
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></figure>'
    )


def _cell(text: str) -> str:
    """Escaped; a number keeps its unit on its line."""
    return escape(text.replace(" %", "\u00a0%"))


def _machine(results: Mapping[str, PartResult]) -> str:
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(r.started_at)}</td><td>{_duration(r.seconds)}</td><td>{escape(r.commit)}</td>"
        f'<td>{r.machine.load:.1f}</td><td class="again"><code>{escape(r.command)}</code></td></tr>'
        for name, r in results.items()
    )
    head = "<tr><th>part</th><th>started</th><th>took</th><th>commit</th><th>load before</th><th class='again'>again</th></tr>"
    any_result = next(iter(results.values()), None)
    machine = any_result.machine if any_result else None
    where = (
        f"{machine.cpu_model}, {machine.cpus} cores, {machine.memory_mib / 1024:.0f} GiB, Python {machine.python}"
        if machine
        else ""
    )
    return (
        f'<h2>How it was measured</h2><p>{escape(where)}.</p><div class="scroll"><table><thead>{head}</thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 90 else f"{seconds / 60:.1f} min"  # noqa: PLR2004 - minutes from here on
