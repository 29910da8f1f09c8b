"""The review in a terminal: shows what is asked, and reads the answer line by line while the run stays alive.

A line is read by the event loop, not by a thread: the run's sign of life goes on, and Ctrl-C ends it at once.
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from flows.asking import reviewing
from flows.cli import console
from tasks.frame_numbers import UnclearAnswer, read_frames
from tasks.review import Again, Answer, Question, ReviewTimedOut

NONE = "-"
"""Takes back what the question was filled in with."""

LINE_LIMIT_BYTES = 65_536


def reviewing_here() -> AbstractContextManager[None]:
    """Has reviews answered in this terminal, if there is one."""
    return reviewing(ask_in_terminal, "terminal") if console.is_interactive() else nullcontext()


async def ask_in_terminal(question: Question) -> Answer:
    """Asks which pictures are rejected, which are made again, and with which text. Enter keeps all, or what was said.

    Raises:
        ReviewTimedOut: The terminal was closed.
    """
    labels = [each.label for each in question.candidates]
    earlier = question.earlier
    with console.calm():
        console.show_question(question)
        lines = _Lines()
        reject = await _numbers(lines, "Reject", earlier.reject, labels)
        texts = {each.number: each.prompt for each in earlier.again}
        again = await _numbers(lines, "Make again with another text", ", ".join(texts), labels)
        prompts = [await _text(lines, label, texts.get(label, "")) for label in read_frames(again, labels)]
    chosen = zip(read_frames(again, labels), prompts, strict=True)
    return Answer(reject=reject, again=tuple(Again(number=label, prompt=text) for label, text in chosen if text))


async def _numbers(lines: "_Lines", what: str, before: str, labels: Sequence[str]) -> str:
    """Reads frame numbers until they can be meant."""
    hint = f"Enter: {before}; {NONE}: none" if before else "Enter: none"
    while True:
        line = await lines.ask(f"{what} (such as 2, 5, 7-9; {hint}): ")
        text = before if not line else line if line != NONE else ""
        try:
            read_frames(text, labels)
        except UnclearAnswer as error:
            console.show_complaint(str(error))
            before = ""  # what was filled in may be the trouble
            continue
        return text


async def _text(lines: "_Lines", label: str, before: str) -> str:
    hint = f"Enter: {before}" if before else "Enter: leave it as it is"
    return await lines.ask(f"New text for {label} ({hint}): ") or before


class _Lines:
    """Lines from the terminal, each as soon as it is there; several at once where they were pasted."""

    def __init__(self) -> None:
        self._file = sys.stdin.fileno()
        self._rest = b""

    async def ask(self, prompt: str) -> str:
        """Shows a prompt and waits for a line.

        Raises:
            ReviewTimedOut: The terminal was closed.
        """
        console.show_prompt(prompt)
        while b"\n" not in self._rest:
            data = await self._read()
            if not data:
                raise ReviewTimedOut(
                    "The terminal was closed before the review was answered. What was made is archived: run the same "
                    "edition again to be asked again."
                )
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode(sys.stdin.encoding or "utf-8", errors="replace").strip()

    async def _read(self) -> bytes:
        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()
        try:
            loop.add_reader(self._file, arrived.set)
        except NotImplementedError:  # Windows has no such thing for terminals
            return await asyncio.to_thread(os.read, self._file, LINE_LIMIT_BYTES)
        try:
            await arrived.wait()
        finally:
            loop.remove_reader(self._file)
        return os.read(self._file, LINE_LIMIT_BYTES)
