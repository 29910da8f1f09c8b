"""What a picture is called in a dataset: captions, made of the prompts that made it."""

from collections.abc import Sequence

from tasks.export.terms import CaptionKind
from tasks.models import ImageRecord

_ENDS = (".", "!", "?", "…", "。", "！", "？")


def caption_of(record: ImageRecord, ancestors: Sequence[ImageRecord], kind: CaptionKind) -> str:
    """Writes a caption: the very prompt, or the chain of prompt and instructions as sentences.

    Args:
        record: The picture.
        ancestors: What it is an edit of, its parent first.
        kind: Which caption; none is an empty one.
    """
    if kind == "none":
        return ""
    if kind == "prompt" or not ancestors:
        return record.request.prompt
    *before, last = (each.request.prompt.strip() for each in (*reversed(ancestors), record))
    return " ".join([*(text if text.endswith(_ENDS) else f"{text}." for text in before), last])


def on_one_line(caption: str) -> str:
    """The caption as a single line: trainers of the kohya family read the first one of a file and no more."""
    return " ".join(caption.split())
