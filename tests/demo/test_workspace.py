"""Temporary state: unique, removed, swept."""

from pathlib import Path

import pytest

from demo.workspace import sweep, workspace


def test_two_at_once_do_not_meet_and_both_are_removed(tmp_path: Path) -> None:
    with workspace(tmp_path) as one, workspace(tmp_path) as other:
        assert one != other
        assert one.is_dir()

    assert list(tmp_path.iterdir()) == []


def test_it_is_removed_after_an_interruption(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), workspace(tmp_path):
        raise KeyboardInterrupt

    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_demo_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    left = tmp_path / "stowplan-demo-killed"
    left.mkdir()
    (left / "lock").touch()
    strange = tmp_path / "stowplan-demo-without-lock"
    strange.mkdir()

    with workspace(tmp_path) as alive:
        sweep(tmp_path)

        assert alive.is_dir()
        assert strange.is_dir()
        assert not left.exists()
