"""How a long-running command is told to end: Ctrl-C, SIGTERM or a closed terminal; a second time means at once."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_WISHES = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ending:
    """The wish to end.

    The first one raises KeyboardInterrupt in the main thread. From then on, or from `begin`, the end has begun and is
    not broken off by another: it only gets impatient.
    """

    def __init__(self) -> None:
        self._has_begun = False
        self._is_hurried = False

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Listens for as long as the context is open, also where our parent told us to ignore Ctrl-C."""
        before = {wish: signal.signal(wish, self._on_signal) for wish in _WISHES}
        try:
            yield
        finally:
            for wish, handler in before.items():
                signal.signal(wish, handler)

    def begin(self) -> None:
        """Says that the end has begun for another reason."""
        self._has_begun = True

    def is_hurried(self) -> bool:
        """Tells whether nobody wants to wait any longer."""
        return self._is_hurried

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._has_begun:
            self._is_hurried = True
            return
        self._has_begun = True
        raise KeyboardInterrupt
