from blocks import errors
from tasks import advice
from tasks.advice import advice_on


def test_every_kind_with_advice_is_an_error_of_ours() -> None:
    """A class that is renamed takes its advice along: none is left for a kind that no failure has."""
    assert [kind for kind in advice._ADVICE if not hasattr(errors, kind)] == []


def test_a_person_learns_what_to_do_about_any_failure() -> None:
    """A kind that is known has its own sentence, and any other the one that is always true."""
    assert advice_on("BudgetExhausted") == (
        "Raise the budget, then run the same edition again: what was bought is not bought twice."
    )
    assert advice_on("Unheard") == "You can run the same edition again: what was bought is not bought twice."
