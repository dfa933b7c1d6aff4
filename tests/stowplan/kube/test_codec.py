"""Envelopes, lines and Status objects."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stowplan.kube.codec import LineSplitter, ObjectKey, decode_list, error_from_status, identify
from stowplan.kube.errors import BrokenStream, Conflict, Gone, TooManyRequests


@given(st.lists(st.binary(min_size=1).filter(lambda line: b"\n" not in line and line.strip())), st.data())
def test_lines_do_not_depend_on_the_chunks(lines: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(line + b"\n" for line in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    splitter = LineSplitter()
    got: list[bytes] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        got += splitter.feed(stream[start:end])
    assert got == lines


def test_a_line_beyond_the_bound_is_refused_and_one_at_it_is_not() -> None:
    assert LineSplitter(4).feed(b"1234\n12") == [b"1234"]
    splitter = LineSplitter(4)
    splitter.feed(b"123")
    with pytest.raises(BrokenStream, match="4 bytes"):
        splitter.feed(b"45\n")


def test_a_list_without_items_and_without_continue() -> None:
    page = decode_list(b'{"metadata":{"resourceVersion":"5"},"items":null}')
    assert (page.items, page.metadata.resource_version, page.metadata.continue_token) == (None, "5", "")


def test_identity_of_a_cluster_scoped_object() -> None:
    raw = b'{"spec":{"x":[1]},"metadata":{"name":"n1","uid":"u","resourceVersion":"9"}}'
    assert identify(raw) == (ObjectKey("", "n1", "u"), "9")


def test_errors_carry_what_the_status_says() -> None:
    body = b'{"kind":"Status","code":409,"reason":"AlreadyExists","message":"m","details":{"name":"a"}}'
    error = error_from_status(body)
    assert isinstance(error, Conflict)
    assert (error.status, error.reason, error.message, error.details) == (409, "AlreadyExists", "m", {"name": "a"})


def test_the_http_status_decides_and_any_body_will_do() -> None:
    assert isinstance(error_from_status(b"<html>gone</html>", status=410), Gone)
    assert error_from_status(b"", status=502).message == "no message"


def test_retry_after_of_the_body_counts_when_there_is_no_header() -> None:
    body = b'{"code":429,"details":{"retryAfterSeconds":3}}'
    error = error_from_status(body)
    assert isinstance(error, TooManyRequests)
    assert error.retry_after == 3.0
    assert error_from_status(body, retry_after=9.0).retry_after == 9.0
