"""`stowplan mutate`: what the webhook would do, without a cluster."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from webhook.offline import Result


class Output(StrEnum):
    """What is printed."""

    YAML = "yaml"
    JSON = "json"
    PATCH = "patch"
    EXPLAIN = "explain"


def mutate(
    file: Annotated[
        list[str] | None, typer.Option("-f", "--file", help="Pods or workloads: YAML, JSON or JSON lines; - is stdin.")
    ] = None,
    more: Annotated[
        list[str] | None, typer.Argument(metavar="[FILE]...", help="More files, as from a shell pattern.")
    ] = None,
    namespace: Annotated[
        str | None, typer.Option(help="Namespace of objects that name none; default: default.")
    ] = None,
    classes: Annotated[
        list[str] | None,
        typer.Option(
            help="Objects of the cluster: WorkloadClass, WorkloadPolicy, LimitRange, ResourceQuota, PriorityClass, Node, "
            "HorizontalPodAutoscaler, VerticalPodAutoscaler."
        ),
    ] = None,
    profiles: Annotated[
        list[str] | None,
        typer.Option(help="WorkloadProfile objects, as the recommender writes them: sizes learned from usage."),
    ] = None,
    output: Annotated[
        Output, typer.Option("-o", "--output", help="json: one object a line per document.")
    ] = Output.YAML,
) -> None:
    """Show what the webhook would do with pods and workloads, without a cluster.

    The cluster is taken to have stowplan installed and running, and nodes in three zones. Exit code 1: a document could not be
    processed (the others were); 2: wrong usage, or a wrong file of classes or profiles.
    """
    files = [*(file or ()), *(more or ())]
    if not files:
        raise typer.BadParameter("-f: name a file of pods or workloads, or - for standard input")
    if [*files, *(classes or ()), *(profiles or ())].count("-") > 1:
        raise typer.BadParameter("-: standard input can be read once only; name files for the rest")
    raise typer.Exit(_run(files, namespace, classes or (), profiles or (), output))


def _run(
    files: Sequence[str], namespace: str | None, classes: Sequence[str], profiles: Sequence[str], output: Output
) -> int:
    """Print all results; the exit code."""
    from webhook.documents import read_files  # noqa: PLC0415 - other subcommands start without the webhook's imports
    from webhook.offline import PolicyFileError, mutate_documents, read_profiles, read_state  # noqa: PLC0415 - as above

    text = sys.stdin.read() if "-" in (*files, *classes, *profiles) else ""
    try:
        learned = read_profiles(profiles, text, namespace)
        state = replace(read_state(classes, text), profiles=learned, now_s=int(time.time()))
    except PolicyFileError as error:
        typer.echo(f"Error: {error}", err=True)
        return 2
    bad = False
    for result in mutate_documents(read_files(files, text), state, namespace):
        bad = bad or result.bad_input
        _show(result, output)
    return 1 if bad else 0


def _show(result: Result, output: Output) -> None:
    if output is Output.JSON:
        typer.echo(json.dumps(result.as_json(), separators=(",", ":"), ensure_ascii=False))
    elif output is Output.PATCH:
        typer.echo(json.dumps(result.patch, separators=(",", ":"), ensure_ascii=False))
    elif output is Output.EXPLAIN:
        typer.echo(_explained(result))
    elif result.pod is not None:
        import yaml  # noqa: PLC0415 - needed for this output only

        typer.echo(f"---\n{yaml.safe_dump(result.pod, sort_keys=False, allow_unicode=True)}", nl=False)
    if output in (Output.YAML, Output.PATCH):
        for line in [result.why] if result.bad_input else result.warnings:
            typer.echo(f"{'Error' if result.bad_input else 'Warning'}: {line}", err=True)


def _explained(result: Result) -> str:
    metadata = (result.pod or {}).get("metadata") or {}
    name = metadata.get("name") or f"{metadata.get('generateName', '')}*"
    head = f"Pod {name}" if result.pod is not None else "-"
    lines = [f"{head}: {result.outcome} ({result.reason})", f"  {result.why}"]
    lines += [f"  Warning: {warning}" for warning in result.warnings]
    lines += [f"  {op['op']} {op['path']}" for op in result.patch]
    return "\n".join(lines)
