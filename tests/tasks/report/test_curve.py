from tasks.models import Round
from tasks.report.curve import Spot, yield_curve


def round_of(paid: int, gained: int, distinct: int, message: str = "") -> Round:
    return Round(
        change="prompts", planned=paid, paid=paid, gained=gained, distinct=distinct, target=100, message=message
    )


def test_each_round_is_a_spot_between_paid_and_distinct() -> None:
    """Across are the paid pictures of all rounds so far, up the distinct ones; the target and its diagonal frame it."""
    curve = yield_curve([round_of(100, 50, 50), round_of(100, 30, 80, "80 of 100: the budget is spent")])

    assert curve is not None
    assert curve.spots == (Spot(6, 102), Spot(160, 58), Spot(314, 31.6))
    assert curve.path == "6,102 160,58 314,31.6"
    assert (curve.target_y, curve.diagonal) == (14, Spot(160, 14))
    assert (curve.paid, curve.target) == (200, 100)
    assert curve.message == "80 of 100: the budget is spent"
    assert curve.line == "distinct of paid pictures, round by round: 50 of 100, 30 of 100"


def test_more_than_was_wanted_stays_in_the_drawing() -> None:
    """The last round can give more than is missing: then the target lies below the end of the curve."""
    curve = yield_curve([round_of(120, 110, 110)])

    assert curve is not None
    assert curve.spots[-1] == Spot(314, 14)
    assert curve.target_y == 22


def test_without_pictures_there_is_no_curve() -> None:
    """A campaign without rounds has none, and neither has one whose first round gave nothing."""
    assert yield_curve([]) is None
    assert yield_curve([round_of(0, 0, 0)]) is None
