import os
import signal
from collections.abc import Iterator

import pytest

from deployments.ending import Ending


@pytest.fixture
def ignored() -> Iterator[None]:
    """A command that was started in the background of a shell is told to ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ignored")
@pytest.mark.parametrize("wish", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_wish_ends_and_the_second_hurries(wish: signal.Signals) -> None:
    """What ends is not broken off by another wish, it only stops waiting; after it all is as before."""
    ending = Ending()
    with ending.on_signals():
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), wish)
        assert not ending.is_hurried()
        os.kill(os.getpid(), wish)
        assert ending.is_hurried()

    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_an_end_that_has_begun_by_itself_is_not_broken_off() -> None:
    """Where something has failed, Ctrl-C means that nobody wants to wait."""
    ending = Ending()
    with ending.on_signals():
        ending.begin()
        os.kill(os.getpid(), signal.SIGINT)

    assert ending.is_hurried()
