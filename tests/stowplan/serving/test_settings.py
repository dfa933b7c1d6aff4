"""Settings: what is given arrives typed, and every mistake is named."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, dataclass
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stowplan.serving.settings import SettingsError, describe, load_settings, parse_flags, setting


@dataclass(frozen=True, slots=True)
class Example:
    """Settings of every supported type."""

    host: str = setting("127.0.0.1", "Address to listen on.")
    port: int = setting(8443, "Port.", minimum=0, maximum=65535)
    drain_seconds: float = setting(5.0, "Time to drain.", unit="s", minimum=0)
    observe: bool = setting(default=False, doc="Decide, but change nothing.")
    level: Literal["info", "debug"] = setting("info", "Log level.")
    kubeconfig: Path | None = setting(None, "Kubeconfig.")


def test_defaults() -> None:
    assert load_settings(Example, {}) == Example()


def test_variables_are_parsed_and_flags_win() -> None:
    environ = {
        "STOWPLAN_PORT": "1",
        "STOWPLAN_DRAIN_SECONDS": "0.5",
        "STOWPLAN_OBSERVE": "true",
        "STOWPLAN_LEVEL": "debug",
        "STOWPLAN_KUBECONFIG": "/a/b",
        "HOME": "elsewhere",
    }
    flags = parse_flags(Example, ["--port", "2", "--host=0.0.0.0"], program="x")

    got = load_settings(Example, environ, flags)

    assert got == Example("0.0.0.0", 2, 0.5, observe=True, level="debug", kubeconfig=Path("/a/b"))


def test_an_empty_optional_is_none() -> None:
    assert load_settings(Example, {"STOWPLAN_KUBECONFIG": ""}).kubeconfig is None


@pytest.mark.parametrize(
    ("variable", "text", "words"),
    [
        ("STOWPLAN_PORT", "x", ["STOWPLAN_PORT=x", "whole number"]),
        ("STOWPLAN_PORT", "70000", ["STOWPLAN_PORT=70000", "at most 65535"]),
        ("STOWPLAN_DRAIN_SECONDS", "-1", ["at least 0 s"]),
        ("STOWPLAN_DRAIN_SECONDS", "nan", ["at least 0 s"]),
        ("STOWPLAN_OBSERVE", "maybe", ["true or false"]),
        ("STOWPLAN_LEVEL", "loud", ["info, debug"]),
        ("STOWPLAN_DRAIN_SECOND", "3", ["STOWPLAN_DRAIN_SECOND", "did you mean STOWPLAN_DRAIN_SECONDS"]),
        ("STOWPLAN_ZZZZZZ", "3", ["no such setting", "drain_seconds"]),
    ],
)
def test_mistakes_name_variable_value_and_remedy(variable: str, text: str, words: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(Example, {variable: text})
    assert all(word in str(caught.value) for word in words)


def test_a_bad_flag_is_named_as_a_flag() -> None:
    with pytest.raises(SettingsError, match="--port=x"):
        load_settings(Example, {"STOWPLAN_PORT": "1"}, {"port": "x"})
    with pytest.raises(SystemExit):
        parse_flags(Example, ["--prot", "1"], program="x")


def test_variables_that_kubernetes_makes_for_services_are_passed_over() -> None:
    # What a pod gets in a namespace with the Services "stowplan" and "stowplan-webhook".
    links = {
        "STOWPLAN_PORT": "tcp://10.0.0.1:443",
        "STOWPLAN_SERVICE_HOST": "10.0.0.1",
        "STOWPLAN_WEBHOOK_SERVICE_HOST": "10.0.0.1",
        "STOWPLAN_WEBHOOK_SERVICE_PORT": "443",
        "STOWPLAN_WEBHOOK_SERVICE_PORT_HTTPS": "443",
        "STOWPLAN_WEBHOOK_PORT": "tcp://10.0.0.1:443",
        "STOWPLAN_WEBHOOK_PORT_443_TCP": "tcp://10.0.0.1:443",
        "STOWPLAN_WEBHOOK_PORT_443_TCP_ADDR": "10.0.0.1",
    }
    assert load_settings(Example, links) == Example()


def test_every_field_is_described_with_unit_and_bounds() -> None:
    described = {name: (doc, default) for name, doc, default in describe(Example)}
    assert described["drain_seconds"] == ("Time to drain. (in s, minimum 0)", 5.0)
    assert described["port"] == ("Port. (minimum 0, maximum 65535)", 8443)
    assert described["observe"] == ("Decide, but change nothing.", False)


def test_help_shows_defaults_and_variables(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_flags(Example, ["--help"], program="x")
    text = " ".join(capsys.readouterr().out.split())
    assert "--drain-seconds" in text
    assert "Default 5.0; also $STOWPLAN_DRAIN_SECONDS." in text


def test_settings_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        load_settings(Example, {}).port = 3  # type: ignore[misc] # assigning to it is what is tested


@given(st.floats())
def test_numbers_survive_or_are_refused(number: float) -> None:
    try:
        got = load_settings(Example, {"STOWPLAN_DRAIN_SECONDS": repr(number)}).drain_seconds
    except SettingsError:
        assert math.isnan(number) or number < 0
    else:
        assert got == number
