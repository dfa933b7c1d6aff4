"""The observed mix: when it is renewed, and what it forgets."""

from __future__ import annotations

from extender.fragments.observed_mix import FIRST, KINDS, ObservedMix


def seen(mix: ObservedMix[str], kind: str | None, times: int) -> None:
    for _ in range(times):
        mix.see(kind)


def test_it_is_renewed_whenever_what_was_seen_has_doubled() -> None:
    mix: ObservedMix[str] = ObservedMix()

    seen(mix, "a", FIRST - 1)
    due = [mix.due]
    seen(mix, None, 1)  # a pod without GPUs counts as seen
    due.append(mix.due)
    assert mix.renewed() == [("a", FIRST - 1)]
    seen(mix, "b", FIRST - 1)
    due.append(mix.due)
    seen(mix, "b", 1)
    due.append(mix.due)
    assert due == [False, True, False, True]
    assert mix.renewed() == [("b", FIRST), ("a", FIRST - 1)]


def test_the_most_frequent_kinds_are_kept() -> None:
    mix: ObservedMix[str] = ObservedMix()
    for number in range(KINDS + 1):
        seen(mix, f"kind-{number}", number + 1)

    kinds = dict(mix.renewed())

    assert len(kinds) == KINDS
    assert "kind-0" not in kinds
    assert kinds[f"kind-{KINDS}"] == KINDS + 1


def test_what_was_seen_long_ago_counts_less() -> None:
    mix: ObservedMix[str] = ObservedMix()
    seen(mix, "old", 32_768)
    assert mix.renewed() == [("old", 16_384)]
    seen(mix, "new", 16_384)

    # 32,768 in all again: both are halved
    assert mix.renewed() == [("old", 8_192), ("new", 8_192)]
