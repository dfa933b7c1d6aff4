"""Asking the extender: its answer, that it knows none, and that somebody else is there."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from stowplan.cli.extender_answer import Unanswered, ask
from stowplan.serving.direct import Answer, Call, refusal
from tests.support.direct import serving_directly


def extender(call: Call) -> Answer:
    """Answers by path."""
    if call.target == "/lifetimes":
        return Answer(b'{"schema_version": 1, "seconds_left": {"n1": 60.0}}')
    if call.target == "/explain/shop/web-1?node=n1":
        return Answer(b'{"error": "no decision about this pod is remembered"}', HTTPStatus.NOT_FOUND)
    if call.target == "/broken":
        return Answer(b"not JSON")
    return refusal(HTTPStatus.NOT_FOUND, "paths: others")


async def test_what_is_answered_is_read_from_json() -> None:
    async with serving_directly(extender, 1024) as port:
        assert await ask(f"http://127.0.0.1:{port}/lifetimes") == {"schema_version": 1, "seconds_left": {"n1": 60.0}}


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        ("/explain/shop/web-1?node=n1", 1, "no decision about this pod is remembered"),
        ("/broken", 2, "set --extender"),
        ("/other", 2, "set --extender"),
    ],
)
async def test_what_is_not_answered_says_why_and_what_to_do(path: str, code: int, message: str) -> None:
    async with serving_directly(extender, 1024) as port:
        with pytest.raises(Unanswered, match=message) as caught:
            await ask(f"http://127.0.0.1:{port}{path}")

    assert caught.value.code == code
