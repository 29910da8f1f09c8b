"""What property tests need of the process that they run in, whatever ran in it before."""

import random
import threading

from hypothesis import given
from hypothesis import strategies as st


def test_a_thread_that_draws_random_numbers_breaks_no_property_test() -> None:
    """Threads of Prefect outlive the flows that began them, and draw from the one `random` now and then."""
    drawn, is_over = [], threading.Event()

    def draw() -> None:
        while not is_over.is_set():
            random.getrandbits(32)

    @given(numbers=st.lists(st.integers()))
    def numbers_are_drawn(numbers: list[int]) -> None:
        drawn.append(numbers)

    thread = threading.Thread(target=draw)
    thread.start()
    try:
        numbers_are_drawn()
    finally:
        is_over.set()
        thread.join()
    assert len(drawn) > 10
