"""The wire against golden files: what kube-scheduler 1.36 sends and decodes, byte for byte."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from extender.answering.wire import WireError, decode_args, encode_filter_result, encode_host_priorities

GOLDEN = Path(__file__).parents[2] / "golden" / "extender"


def golden(name: str) -> bytes:
    return (GOLDEN / name).read_bytes().rstrip(b"\n")


def test_arguments_with_names() -> None:
    args = decode_args(golden("args-names.json"))

    assert list(args.names) == ["n1", "n2", "n3"]
    assert args.objects is None
    assert msgspec.json.decode(args.pod)["metadata"]["name"] == "web-1"


def test_arguments_with_whole_nodes() -> None:
    args = decode_args(golden("args-nodes.json"))

    assert list(args.names) == ["n1", "n2"]


def test_filter_result_with_names() -> None:
    args = decode_args(golden("args-names.json"))

    assert encode_filter_result(args, ["n2"]) == golden("filter-names.json")


def test_filter_result_for_a_scheduler_that_sends_nodes_carries_them_unchanged() -> None:
    args = decode_args(golden("args-nodes.json"))

    assert encode_filter_result(args, ["n2"]) == golden("filter-nodes.json")


def test_host_priorities_are_integers_under_go_names() -> None:
    assert encode_host_priorities([("n2", 10), ("n1", 9)]) == golden("priorities.json")
    assert encode_host_priorities([]) == b"[]"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"[]",
        b"{}",
        b"null",
        b'{"Pod": {}}',
        b'{"NodeNames": null, "Nodes": null}',
        b'{"NodeNames": "n1"}',
        b'{"NodeNames": [1]}',
        b'{"Nodes": {"items": [{}]}}',
        b'{"NodeNames": ["\xff"]}',
    ],
)
def test_a_body_without_nodes_is_an_error_because_any_answer_would_veto(body: bytes) -> None:
    with pytest.raises(WireError):
        decode_args(body)
