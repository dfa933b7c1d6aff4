"""Names left as bytes behave as the list they stand for."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extender.deciding.offered import OfferedNames

SUBDOMAIN = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,20}[a-z0-9])?", fullmatch=True)


@given(st.lists(st.one_of(SUBDOMAIN, st.text(max_size=8))), SUBDOMAIN, st.booleans())
def test_a_sequence_like_any_other(names: list[str], other: str, compact: bool) -> None:
    encoded = json.dumps(names, separators=(",", ":") if compact else None).encode()
    offered = OfferedNames(encoded)

    if all(
        set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.") for name in names
    ):  # of others the count is not promised
        assert len(offered) == len(names)
    assert all(name in offered for name in names)
    assert (other in offered) == (other in names)
    assert list(offered) == names
    assert list(offered[1:3]) == names[1:3]
    assert offered.encoded == encoded


@pytest.mark.parametrize("name", ["n", "node", "1", '"', "node-1,node-2", 5])
def test_a_part_of_a_name_is_no_name(name: object) -> None:
    assert name not in OfferedNames(b'["node-1","node-2"]')


@pytest.mark.parametrize("encoded", [b"[5]", b'["a",[5]]', b'["a",{"b":"c"}]', b'"a"', b"{}", b'["\xff"]'])
def test_what_is_no_array_of_strings(encoded: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        OfferedNames(encoded)


def test_a_name_looked_for_after_many_in_vain_is_still_found() -> None:
    names = [f"node-{number}" for number in range(50)]
    offered = OfferedNames(json.dumps(names).encode())

    assert not any(f"other-{number}" in offered for number in range(100))
    assert all(name in offered for name in names)
    assert "node-50" not in offered
    assert "node-1" in offered
