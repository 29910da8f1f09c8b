import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.prompts import reference_numbers

ROLES = ("product", "style", "product-box")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("put it next to @product, lit like @style.", "put it next to image 2, lit like image 3."),
        ("@product and @product (@style)", "image 2 and image 2 (image 3)"),
        ("open @product-box", "open image 4"),
        ("a @product- and a @style's", "a image 2- and a image 3's"),
        (
            "@productline @product_2 @product-line @Product @other @",
            "@productline @product_2 @product-line @Product @other @",
        ),
        ("info@product first.last@style.com a+b@style", "info@product first.last@style.com a+b@style"),
        ('write "@product" on @product', 'write "@product" on image 2'),
        ("write “@product” or „@style“ on @style", "write “@product” or „@style“ on image 3"),
        ('a 5" screen, @style, and a 6" one', 'a 5" screen, image 3, and a 6" one'),
        ('a sign "50" by @style, "@style"', 'a sign "50" by image 3, "@style"'),
        ('an open " quote and @style', 'an open " quote and image 3'),
        ("放在@product 旁边", "放在image 2 旁边"),
    ],
)
def test_reference_numbers(text: str, expected: str) -> None:
    """Only whole role names outside quotes and addresses become numbers, in the order of the roles."""
    assert reference_numbers(text, ROLES, first=2) == expected


@given(st.text(st.sampled_from('@product" .-')))
def test_no_roles_no_change(text: str) -> None:
    """Without references every text stays as it is."""
    assert reference_numbers(text, (), first=1) == text


@given(st.text().filter(lambda text: "@" not in text))
def test_text_without_at_is_identical(text: str) -> None:
    """Only an @ can begin a role."""
    assert reference_numbers(text, ROLES, first=1) == text


def test_roles_are_names_not_patterns() -> None:
    """Characters with a meaning in regular expressions are plain in a role."""
    assert reference_numbers("@a.b @axb @c+", ("a.b", "c+"), first=1) == "image 1 @axb image 2"
