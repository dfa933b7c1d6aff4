"""Which certificates should be there, decided from what is observed and the time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from stowplan.serving.certificates import KeyPair, append_ca, ca_needs_renewal, make_ca, make_leaf, needs_renewal
from webhook.certificate_plan import Desired, Observed, decide, service_names

NOW = datetime(2030, 1, 1, tzinfo=UTC)
NAMES = service_names("web", "sys")


def steady(now: datetime = NOW, bundles: tuple[bytes, ...] = (b"",)) -> Observed:
    """What is there right after a first decision."""
    return observed(decide(Observed(bundles=bundles), NAMES, now))


def observed(desired: Desired) -> Observed:
    return Observed(desired.ca, desired.leaf, desired.ca.certificate, desired.bundles)


def test_the_names_are_those_under_which_the_api_server_calls_a_service() -> None:
    assert service_names("web", "sys") == ("web", "web.sys", "web.sys.svc")


def test_from_nothing_a_ca_a_leaf_and_a_bundle_are_made() -> None:
    desired = decide(Observed(bundles=(b"", b"Cg==")), NAMES, NOW)

    assert not ca_needs_renewal(desired.ca.certificate, NOW)
    assert not needs_renewal(desired.leaf.certificate, desired.ca.certificate, NOW, names=NAMES)
    assert desired.bundles == (desired.ca.certificate, desired.ca.certificate)


def test_nothing_changes_while_everything_is_valid() -> None:
    there = steady()

    assert observed(decide(there, NAMES, NOW + timedelta(days=30))) == there


def test_without_a_configuration_the_certificates_are_made_all_the_same() -> None:
    assert decide(Observed(), NAMES, NOW).bundles == ()


def test_a_leaf_that_ends_within_ninety_days_is_renewed_under_the_same_ca() -> None:
    there = steady()

    # A leaf lives 365 days: on day 274 it has 91 left, on day 276 it has 89.
    early = decide(there, NAMES, NOW + timedelta(days=274))
    late = decide(there, NAMES, NOW + timedelta(days=276))

    assert early.leaf == there.leaf
    assert late.leaf != there.leaf
    assert (late.ca, late.bundles) == (there.ca, there.bundles)


def test_a_new_ca_is_put_before_the_old_one_in_the_bundle_and_signs_a_new_leaf() -> None:
    there = steady()

    # A CA lives 3650 days: on day 3570 it has 80 left, which is less than 90.
    desired = decide(there, NAMES, NOW + timedelta(days=3570))

    assert there.ca is not None
    assert desired.ca != there.ca
    assert desired.bundles == (desired.ca.certificate + there.ca.certificate,)
    assert not needs_renewal(desired.leaf.certificate, desired.ca.certificate, NOW + timedelta(days=3570), names=NAMES)


def test_an_expired_ca_leaves_the_bundle() -> None:
    there = steady()

    desired = decide(there, NAMES, NOW + timedelta(days=3651))

    assert desired.bundles == (desired.ca.certificate,)


def test_a_lost_ca_stays_trusted_for_those_who_still_serve_its_leaf() -> None:
    there = steady()

    # Both the Secret of the CA and the bundle are gone; the Secret of the leaf still names its signer.
    desired = decide(replace(there, ca=None, bundles=(b"",)), NAMES, NOW)

    assert there.ca is not None
    assert desired.ca != there.ca
    assert desired.bundles == (desired.ca.certificate + there.ca.certificate,)


def test_an_overwritten_bundle_is_made_good_and_nothing_else_changes() -> None:
    there = steady()

    assert observed(decide(replace(there, bundles=(b"\n",)), NAMES, NOW)) == there


def test_a_bundle_keeps_what_it_trusted_before() -> None:
    there = steady()
    assert there.ca is not None
    foreign = make_ca("theirs", NOW).certificate
    bundle = append_ca(foreign, there.ca.certificate, NOW)

    assert decide(replace(there, bundles=(bundle,)), NAMES, NOW).bundles == (there.ca.certificate + foreign,)


@pytest.mark.parametrize("issuer", [b"", b"no certificate"], ids=["absent", "unreadable"])
def test_an_unreadable_issuer_is_passed_over(issuer: bytes) -> None:
    there = steady()

    assert decide(replace(there, issuer=issuer), NAMES, NOW).bundles == there.bundles


@pytest.mark.parametrize("key", [b"", b"no key", make_ca("other", NOW).key], ids=["absent", "unreadable", "another's"])
def test_a_key_that_is_not_its_certificates_is_no_key(key: bytes) -> None:
    there = steady()
    assert there.ca is not None
    assert there.leaf is not None

    broken_leaf = decide(replace(there, leaf=KeyPair(there.leaf.certificate, key)), NAMES, NOW)
    broken_ca = decide(replace(there, ca=KeyPair(there.ca.certificate, key)), NAMES, NOW)

    assert (broken_leaf.ca, broken_leaf.leaf == there.leaf) == (there.ca, False)
    assert broken_ca.ca != there.ca
    assert not needs_renewal(broken_ca.leaf.certificate, broken_ca.ca.certificate, NOW, names=NAMES)


def test_a_leaf_for_other_names_is_made_anew() -> None:
    there = steady()
    assert there.ca is not None
    other = make_leaf(there.ca, ["elsewhere.sys.svc"], NOW)

    desired = decide(replace(there, leaf=other), NAMES, NOW)

    assert desired.ca == there.ca
    assert not needs_renewal(desired.leaf.certificate, there.ca.certificate, NOW, names=NAMES)
