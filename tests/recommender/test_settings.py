"""What is asked of Prometheus follows the settings, and mistakes end the start."""

from pathlib import Path

import pytest

from recommender.__main__ import main, prometheus_of
from recommender.settings import RecommenderSettings
from stowplan.serving.settings import describe


def test_without_a_url_usage_comes_from_the_metrics_api() -> None:
    assert prometheus_of(RecommenderSettings()) is None


def test_prometheus_is_asked_as_the_settings_say() -> None:
    found = prometheus_of(
        RecommenderSettings(
            prometheus_url="https://mimir/prometheus",
            prometheus_selector='cluster="prod"',
            prometheus_token_file="/run/token",  # noqa: S106 - a path
            prometheus_tenant="team",
        )
    )

    assert found is not None
    assert (found.url, found.selector, found.tenant) == ("https://mimir/prometheus", 'cluster="prod"', "team")
    assert (found.token_file, found.ca_file) == (Path("/run/token"), None)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--prometheus-url", "ftp://x"], "url 'ftp://x'"),
        (["--checkpoint-seconds", "61"], "at most 60"),
        (["--poll-seconds", "0"], "at least 0.1"),
        (["--kubeconfig", "/nowhere/at/all"], "/nowhere/at/all"),
    ],
)
def test_a_setting_that_makes_no_sense_ends_the_start(
    flags: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)

    assert main(flags) == 2
    assert said in capsys.readouterr().err


def test_every_setting_is_documented_with_its_default() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "recommender.md").read_text(encoding="utf-8")

    for name, doc, default in describe(RecommenderSettings):
        shown = f"`{default}`" if default not in (None, "") else ""
        assert f"| `--{name.replace('_', '-')}` | {shown} | {doc} |" in page
