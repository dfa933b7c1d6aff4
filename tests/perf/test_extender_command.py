"""What is started beside a scheduler that is measured."""

import sys

from perf.extender_command import command


def test_ours_is_told_what_to_watch_and_how_to_speak() -> None:
    argv = command("config", (1, 2), "both", flags=["--gates=true"])

    assert argv[:3] == [sys.executable, "-m", "extender"]
    assert argv[3:] == ["--kubeconfig=config", "--port=1", "--metrics-port=2", "--channel=both", "--gates=true"]


def test_the_trivial_one_needs_its_ports_only() -> None:
    assert command("config", (1, 2), "narrow", trivial=True) == [
        sys.executable,
        "-m",
        "perf.trivial_extender",
        "1",
        "2",
    ]
