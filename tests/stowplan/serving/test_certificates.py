"""Certificates judged by a verifier, not by their own fields."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stowplan.serving.certificates import (
    CA_LIFETIME,
    LEAF_LIFETIME,
    LOOKAHEAD,
    MAX_BUNDLE,
    SKEW,
    append_ca,
    ca_needs_renewal,
    expires_at,
    make_ca,
    make_leaf,
    needs_renewal,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ["webhook.stowplan.svc", "webhook.stowplan", "127.0.0.1"]
CA = make_ca("stowplan", NOW)
LEAF = make_leaf(CA, NAMES, NOW)
SECOND = timedelta(seconds=1)


def test_a_fresh_pair_is_fine_for_all_its_names() -> None:
    assert not needs_renewal(LEAF.certificate, CA.certificate, NOW)
    assert not needs_renewal(LEAF.certificate, CA.certificate, NOW, names=NAMES)
    assert needs_renewal(LEAF.certificate, CA.certificate, NOW, names=["other.stowplan.svc"])


def test_renewal_begins_exactly_a_lookahead_before_the_end() -> None:
    # The leaf ends at NOW + 365 d, so 90 d ahead of it is NOW + 275 d.
    turn = NOW + LEAF_LIFETIME - LOOKAHEAD
    assert not needs_renewal(LEAF.certificate, CA.certificate, turn)
    assert needs_renewal(LEAF.certificate, CA.certificate, turn + SECOND)
    end = NOW + CA_LIFETIME - LOOKAHEAD
    assert not ca_needs_renewal(CA.certificate, end)
    assert ca_needs_renewal(CA.certificate, end + SECOND)


def test_a_clock_an_hour_behind_accepts_and_more_does_not() -> None:
    assert not needs_renewal(LEAF.certificate, CA.certificate, NOW - SKEW)
    assert needs_renewal(LEAF.certificate, CA.certificate, NOW - SKEW - SECOND)
    assert ca_needs_renewal(CA.certificate, NOW - SKEW - SECOND)


def test_a_leaf_of_another_ca_needs_renewal_until_that_ca_is_in_the_bundle() -> None:
    new_ca = make_ca("stowplan", NOW)
    new_leaf = make_leaf(new_ca, NAMES, NOW)
    assert needs_renewal(new_leaf.certificate, CA.certificate, NOW)

    bundle = append_ca(CA.certificate, new_ca.certificate, NOW)

    # Rotation without a gap: clients with the bundle accept replicas with either leaf.
    assert not needs_renewal(new_leaf.certificate, bundle, NOW)
    assert not needs_renewal(LEAF.certificate, bundle, NOW)


def test_a_leaf_does_not_outlive_its_ca() -> None:
    short = make_ca("stowplan", NOW, lifetime=timedelta(days=7))
    assert expires_at(make_leaf(short, NAMES, NOW).certificate) == NOW + timedelta(days=7)


@pytest.mark.parametrize("junk", [b"", b"nonsense", CA.key])
def test_junk_needs_renewal(junk: bytes) -> None:
    assert needs_renewal(junk, CA.certificate, NOW)
    assert needs_renewal(LEAF.certificate, junk, NOW)
    assert ca_needs_renewal(junk, NOW)


def test_a_ca_as_leaf_and_a_leaf_as_ca_are_refused() -> None:
    assert needs_renewal(CA.certificate, CA.certificate, NOW)
    other = make_leaf(CA, ["a.example"], NOW)
    assert needs_renewal(other.certificate, LEAF.certificate, NOW)


def test_no_names_are_refused() -> None:
    with pytest.raises(ValueError, match="name"):
        make_leaf(CA, [], NOW)


def test_keys_do_not_show_in_representations() -> None:
    assert "PRIVATE" not in repr(CA)


def test_an_unreadable_bundle_is_replaced() -> None:
    assert append_ca(b"", CA.certificate, NOW) == CA.certificate
    assert append_ca(b"nonsense", CA.certificate, NOW) == CA.certificate


AUTHORITIES = [make_ca(f"ca{number}", NOW, lifetime=timedelta(days=number)).certificate for number in range(1, 7)]


@given(st.lists(st.sampled_from(AUTHORITIES), min_size=1, max_size=10), st.integers(0, 8))
def test_bundles_hold_the_newest_unexpired_once_each(added: list[bytes], day: int) -> None:
    bundle = b""
    for ca in added:
        bundle = append_ca(bundle, ca, NOW)
    later = NOW + timedelta(days=day)

    bundle = append_ca(bundle, added[-1], later)

    parts = [part + b"-----END CERTIFICATE-----\n" for part in bundle.split(b"-----END CERTIFICATE-----\n")[:-1]]
    assert len(parts) == len(set(parts)) <= MAX_BUNDLE
    assert all(expires_at(part) > later for part in parts)
    assert (added[-1] in parts) == (expires_at(added[-1]) > later)
