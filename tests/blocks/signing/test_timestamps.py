"""The relay to a time-stamp authority: what it passes on, and what it says when nobody answers."""

import os

import httpx
import pytest

from blocks.signing import timestamps
from blocks.signing.timestamps import open_relay
from tests.timestamp_authorities import authority, silence


def ask(address: str) -> httpx.Response:
    return httpx.post(
        address, content=b"\x30question", headers={"Content-Type": "application/timestamp-query"}, trust_env=False
    )


def test_question_and_answer_pass_unchanged() -> None:
    """Byte for byte, with their types."""
    with authority() as (url, asked), open_relay(url) as relay:
        answer = ask(relay.address)

    assert asked == [("application/timestamp-query", b"\x30question")]
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/timestamp-reply")
    assert (answer.content, relay.failure) == (b"\x30\x00 stamped", "")


def test_who_does_not_answer_is_answered_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the deadline, with the host's name alone: an address may hold a key."""
    monkeypatch.setattr(timestamps, "TIMEOUT_SECONDS", 0.2)
    with silence() as url, open_relay(url) as relay:
        answer = ask(relay.address)

    assert answer.status_code == 504
    assert relay.failure == "The time-stamp authority 127.0.0.1 did not answer within 0.2 seconds."


def test_a_refusal_is_told() -> None:
    """With its number."""
    with authority(503) as (url, _), open_relay(url) as relay:
        assert ask(relay.address).status_code == 503
    assert relay.failure == "The time-stamp authority 127.0.0.1 answered 503."


def test_an_authority_that_is_gone_is_told() -> None:
    """Nobody listens there."""
    with silence() as url:
        gone = url
    with open_relay(gone) as relay:
        assert ask(relay.address).status_code == 502
    assert relay.failure == "The time-stamp authority 127.0.0.1 could not be asked: ConnectError."


def test_an_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """An authority is somebody else's server: it fills no memory of ours."""
    monkeypatch.setattr(timestamps, "MAX_ANSWER_BYTES", 100)
    with authority(body=bytes(101)) as (url, _), open_relay(url) as relay:
        answer = ask(relay.address)

    assert (answer.status_code, answer.content) == (502, b"")
    assert relay.failure == "The time-stamp authority 127.0.0.1 sent too much, or too slowly, to be a time stamp."


def test_nobody_else_asks_by_this_way() -> None:
    """The path is drawn anew for each relay."""
    with authority() as (url, asked), open_relay(url) as relay:
        assert ask(relay.address.rpartition("/")[0] + "/").status_code == 404
    assert asked == []


@pytest.mark.parametrize("before", [None, "internal.example"])
def test_a_proxy_is_not_asked_for_this_machine(before: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library takes proxies from the environment, which is as it was afterwards."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        if before is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, before)
    with open_relay("http://tsa.example/"):
        inside = os.environ["NO_PROXY"]

    assert inside == ("127.0.0.1" if before is None else "internal.example,127.0.0.1")
    assert os.environ.get("NO_PROXY") == before
