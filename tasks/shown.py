"""Strangers' texts where people read them: one line, printable, not too long."""


def one_line(text: str, limit: int) -> str:
    """Makes one printable line of a text: no control characters, no line ends, nothing that turns the writing around.

    Args:
        text: Anything that a user, a model or a provider has written.
        limit: Characters that are shown; what is longer ends in `…`, where possible between two words.
    """
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    if len(line) <= limit:
        return line
    cut = line[: limit - 1]
    between_words = cut.rpartition(" ")[0]
    return f"{between_words if len(between_words) > limit // 2 else cut}…"


def sentence(text: str, limit: int) -> str:
    """Makes one line that another sentence can follow: it ends with a full stop, unless it ends otherwise."""
    line = one_line(text, limit)
    return line if line.endswith((".", "!", "?", "…")) else f"{line}."
