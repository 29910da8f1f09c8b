import numpy as np

from tests.benchmarks.recall import Judged


def judged(true: dict[str, list[int]], false: list[int], seeds: list[int] | None = None) -> Judged:
    return Judged(
        "a rule", {name: np.array(each) for name, each in true.items()}, np.array(false), np.array(seeds or [])
    )


def test_the_widest_threshold_is_the_last_before_precision_is_lost() -> None:
    """99 true pairs and one false one are precise enough; a second false one is too much, however many true follow."""
    rule = judged({"blur": [3] * 99, "noise": [12] * 1000}, [5, 8])

    assert rule.widest(0.99) == 7
    assert (rule.precision(4), rule.precision(5), rule.precision(8)) == (1.0, 0.99, 99 / 101)


def test_a_rule_whose_equal_codes_are_not_even_the_same_picture_has_no_threshold() -> None:
    """Distance 0 is the strictest that there is."""
    assert judged({"blur": [0, 0]}, [0]).widest(0.99) is None


def test_recall_counts_the_changes_that_were_asked_for() -> None:
    """The threshold itself is within."""
    rule = judged({"blur": [1, 2], "crop": [20, 30, 40, 50]}, [90])

    assert rule.recall(2, ["blur"]) == 1.0
    assert rule.recall(20, ["crop"]) == 0.25
    assert rule.recall(20) == 0.5


def test_seeds_merged_are_a_share_of_the_pairs_of_one_prompt() -> None:
    """And 0 where there are no such pairs."""
    assert judged({"blur": [1]}, [9], [9, 30, 31, 40]).seeds_merged(30) == 0.5
    assert judged({"blur": [1]}, [9]).seeds_merged(30) == 0.0
