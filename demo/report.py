"""The HTML report: one file that needs nothing else, for a person to read."""

import json
from html import escape

from demo import plots
from demo.caveats import caveats
from demo.environment import Variant
from demo.headline import headline, saving
from demo.result import DemoResult, RunResult
from demo.terminal import ROWS, latency, sizes_compared
from demo.usage import RULE as USAGE_RULE
from demo.workload import RULE
from stowplan.page import html_page

_LINE = "\n"
_LATENCIES = "<p>Latencies are the median / the 99th percentile in milliseconds.</p>"


def report_html(result: DemoResult) -> str:
    """The whole page."""
    figures = _figures(result)
    body = _LINE.join(
        (
            _opening(result),
            _cards(result),
            _over_time(),
            _fill(result),
            _risk(result),
            _numbers(result),
            _story(result),
            _unplaced(result),
            _method(result),
        )
    )
    return html_page("stowplan demo", body, figures)


def _figures(result: DemoResult) -> dict[str, plots.Figure]:
    fills = {f"fill-{name}": plots.node_fill(run.node_fill) for name, run in result.runs.items()}
    figures = {"cost": plots.cost_over_time(result.runs), "nodes": plots.nodes_over_time(result.runs), **fills}
    compared = sizes_compared(result.runs)
    if compared is not None:
        figures["requests"] = plots.requests_by_class(*compared)
    return figures


def _opening(result: DemoResult) -> str:
    pods = max(run.pods for run in result.runs.values())
    cluster = result.cluster
    return (
        '<p class="kicker">stowplan demo</p>'
        f"<h1>{escape(headline(result))}</h1>"
        f'<p class="lead">{pods} pods, cut from {result.window_hours:g} hours of real Azure arrivals, came and went on '
        f"{cluster['nodes']} nodes "
        f"in EC2 shapes with {cluster['cpu_cores']:.0f} cores and real list prices (${cluster['cost_per_hour']:.2f}/h in all). "
        "Each run had the same pods in the same order and rhythm, a real API server and a real kube-scheduler; "
        "only what sizes and places the pods differs. "
        "A node counts while a pod is on it: empty nodes are the ones an autoscaler can give back.</p>"
    )


def _cards(result: DemoResult) -> str:
    ours = result.runs.get(Variant.STOWPLAN)
    cards = []
    if ours is not None:
        for name, words in (
            (Variant.STOCK, "stock scheduler"),
            (Variant.MOST_ALLOCATED, "stock scheduler set to pack"),
        ):
            baseline = result.runs.get(name)
            if baseline is not None:
                share = saving(ours, baseline)
                cards.append(
                    (
                        "main",
                        f"{share:+.0%}".replace("+", "\u2212") if share >= 0 else f"+{-share:.0%}",
                        f"$/h against the {words}",
                    )
                )
        cards.append(("", f"{ours.placed}/{ours.pods}", "pods placed with stowplan"))
        if ours.webhook_ms is not None:
            cards.append(("", f"{ours.webhook_ms.p99:.1f} ms", "webhook p99 per admission"))
        if ours.extender_ms is not None:
            cards.append(("", f"{ours.extender_ms.p99:.1f} ms", "extender p99 per call"))
    else:
        cards = [("", f"${run.cost_per_hour:.2f}/h", name) for name, run in result.runs.items()]
    return f'<div class="cards">{"".join(_card(*card) for card in cards)}</div>'


def _card(kind: str, number: str, words: str) -> str:
    return f'<div class="card {kind}"><b>{escape(number)}</b><span>{escape(words)}</span></div>'


def _over_time() -> str:
    return (
        "<h2>What the nodes in use cost</h2>"
        "<p>Pods come and go; long-lived ones pin whatever node they are on. Lower is cheaper. "
        "The dotted line is a floor that no packing can go below: it lets pods be cut in pieces, so nobody can reach it.</p>"
        '<figure><div id="cost"></div></figure>'
        "<h2>How many nodes are in use</h2>"
        '<figure><div id="nodes"></div></figure>'
    )


def _fill(result: DemoResult) -> str:
    figures = "".join(
        f"<figure><figcaption>{_dot(name)}<strong>{escape(name)}</strong>: {run.end_nodes_used} of {len(run.node_fill)} nodes in use, "
        f'${run.end_cost_per_hour:.2f}/h</figcaption><div id="fill-{escape(name)}"></div></figure>'
        for name, run in result.runs.items()
    )
    return (
        "<h2>Every node at the end of the window</h2>"
        "<p>One bar is one node: the share of its CPU that pods requested points up, of its memory down. A gap is an empty node. "
        "Full bars next to gaps are good; many half-full bars are paid for twice.</p>"
        f'<div class="fills">{figures}</div>'
        '<p class="legend">price of the node <span>$0.34/h</span><span class="ramp"></span><span>$1.54/h</span></p>'
    )


def _risk(result: DemoResult) -> str:
    """What right-sizing asks for and which risk it takes; empty where nothing was learned."""
    compared = sizes_compared(result.runs)
    if compared is None:
        return ""
    own, learned = compared
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{risk.workloads}</td><td>{risk.used_cores:.0f}</td>"
        f"<td>{own.risk[name].requested_cores if own is not None and name in own.risk else 0:.0f}</td>"
        f"<td>{risk.requested_cores:.0f}</td><td>{risk.overrun_share:.1%} (p95 {risk.overrun_share_p95:.1%})</td>"
        f"<td>{risk.declared_overrun:.0%}</td><td>{risk.unmet:.1%}</td><td>{risk.declared_unmet:.0%}</td>"
        f"<td>{risk.within:.0%}</td></tr>"
        for name, risk in learned.risk.items()
    )
    head = (
        "<tr><th></th><th>workloads</th><th>cores used</th><th>asked by users</th><th>learned</th>"
        "<th>time above the request</th><th>declared</th><th>unmet demand</th><th>declared</th><th>workloads within</th></tr>"
    )
    return (
        "<h2>Right-sizing, and the risk it takes</h2>"
        f"<p>{escape(USAGE_RULE)} A class declares how much of the time a pod may use more than "
        "it asked for, and how much of its "
        "use that may be; the learned size is the smallest that keeps within. "
        "All pods of a class are added up as if they were there at once.</p>"
        f'<figure><div id="requests"></div></figure>'
        f'<div class="scroll"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>'
    )


def _numbers(result: DemoResult) -> str:
    heads = _heads(result)
    rows = "".join(
        f"<tr><td>{escape(label.strip())}</td>{''.join(f'<td>{escape(cell(run))}</td>' for run in result.runs.values())}</tr>"
        for label, cell in ROWS
    )
    classes = sorted({name for run in result.runs.values() for name in run.classes})
    by_class = "".join(
        f"<tr><td>{escape(name)}</td>{''.join(_class_cell(run, name) for run in result.runs.values())}</tr>"
        for name in classes
    )
    return (
        f"<h2>The numbers</h2>{_LATENCIES}"
        f'<div class="scroll"><table><thead><tr><th></th>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
        "<h2>By class</h2><p>Pods placed, and the time from creation to a node (milliseconds, median / 99th percentile).</p>"
        f'<div class="scroll"><table><thead><tr><th></th>{heads}</tr></thead><tbody>{by_class}</tbody></table></div>'
    )


def _class_cell(run: RunResult, name: str) -> str:
    count = run.classes.get(name)
    return (
        "<td></td>"
        if count is None
        else f"<td>{count.placed} of {count.pods} · {escape(latency(count.scheduling_ms))}</td>"
    )


def _story(result: DemoResult) -> str:
    story = next((run.story for run in result.runs.values() if run.story is not None), None)
    if story is None:
        return ""
    facts = escape(json.dumps(story.explanation, indent=2, ensure_ascii=False))
    return (
        f"<h2>Why is this pod as it is?</h2><p>Every pod can say so. Here is <code>{escape(story.pod)}</code>, class "
        f"<code>{escape(story.workload_class)}</code>, on node <code>{escape(story.node)}</code>:</p>"
        f'<blockquote><span class="tag">its size, by the webhook</span>{escape(story.size)}</blockquote>'
        f'<blockquote><span class="tag">its node, by the extender</span>{escape(story.placement)}</blockquote>'
        f"<details><summary>everything the extender knows about it</summary><pre>{facts}</pre></details>"
    )


def _unplaced(result: DemoResult) -> str:
    rows = "".join(
        f'<tr><td>{_dot(name)}{escape(name)}</td><td class="text">{escape(entry.workload)} ({escape(entry.workload_class)})</td>'
        f'<td>{entry.pods}</td><td class="text">{escape(entry.reason or "no reason known")}</td></tr>'
        for name, run in result.runs.items()
        for entry in run.unplaced_pods
    )
    if not rows:
        return "<h2>Unplaced pods</h2><p>None, in any run.</p>"
    head = "<tr><th>run</th><th>workload</th><th>pods</th><th>the scheduler's last word</th></tr>"
    return f'<h2>Unplaced pods</h2><div class="scroll"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>'


def _method(result: DemoResult) -> str:
    types = ", ".join(f"{count} x {name}" for name, count in result.cluster["instance_types"].items())
    listed = "".join(f"<li>{escape(text)}</li>" for text in caveats(result))
    versions = ", ".join(f"{name} {number}" for name, number in result.versions.items())
    return (
        "<h2>How it was done</h2>"
        f"<p>{result.window_hours:g} hours of trace were replayed in {result.replay_seconds:g} s. {escape(RULE)} "
        "Requests in the templates are the VM's size as the trace has it; in the runs right-sized and stowplan the pods agree to "
        f"learned sizes. {escape(USAGE_RULE)}</p>"
        f"<p>Nodes: {escape(types)}, in three zones.</p>"
        f"<h2>What this does not show</h2><ul>{listed}</ul>"
        "<h2>Do it again</h2><pre>make demo</pre>"
        "<p>Numbers differ a little from run to run: real processes share a real machine.</p>"
        f"<footer>{escape(result.started_at)} · {result.seconds:.0f} s in all · {escape(versions)} · trace: Azure Public Dataset V1 "
        "(Cortez et al. 2017), CC BY 4.0, sampled · prices: AWS on-demand list prices, us-east-1, Linux</footer>"
    )


def _heads(result: DemoResult) -> str:
    return "".join(f"<th>{_dot(name)}{escape(name)}</th>" for name in result.runs)


def _dot(name: str) -> str:
    return f'<span class="dot" style="background:{plots.colour_of(name)}"></span>'
