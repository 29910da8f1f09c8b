"""Colours: a set that goes together for each seed, bent towards the colours that the prompt names."""

import random
import re
from dataclasses import dataclass

Colour = tuple[int, int, int]

BLACK: Colour = (12, 12, 16)
WHITE: Colour = (252, 250, 245)

# From the darkest to the lightest, then the accent.
_SETS = (
    ("#1f2a37", "#3f5e5a", "#8fa998", "#e9d8b4", "#f4efe2", "#d9622b"),
    ("#22223b", "#4a4e69", "#9a8c98", "#c9ada7", "#f2e9e4", "#b23a48"),
    ("#0b3c49", "#13747d", "#7fb7be", "#d3f3ee", "#fbf6ea", "#f2a541"),
    ("#2d1e2f", "#6b2d5c", "#c05780", "#f7c59f", "#fff1e0", "#2e86ab"),
    ("#283618", "#606c38", "#a3b18a", "#dad7cd", "#fefae0", "#bc6c25"),
    ("#1d3557", "#457b9d", "#a8dadc", "#f1faee", "#fffdf7", "#e63946"),
    ("#2b2d42", "#5c677d", "#9aa5b1", "#d9dde2", "#f7f7f5", "#ef8354"),
    ("#3d2b1f", "#7f5539", "#b08968", "#ddb892", "#f3e9dc", "#5a8f7b"),
    ("#14213d", "#2f4b7c", "#665191", "#d45087", "#ffe3d8", "#ffa600"),
    ("#10251f", "#1f5546", "#4f9d82", "#cde8c9", "#f7fbe8", "#f26b5b"),
    ("#33272a", "#6f5a5e", "#e0a48a", "#ffd9c2", "#fff4ea", "#6f9c95"),
    ("#1b1b1e", "#373f51", "#58a4b0", "#a9bcd0", "#eef1f5", "#f0b429"),
)
_NAMED = {
    "red": "#c8323c", "crimson": "#a4133c", "scarlet": "#d62828", "vermilion": "#e34a27", "burgundy": "#6d1a36",
    "orange": "#ee8434", "amber": "#f2a33a", "rust": "#a8502a", "terracotta": "#c4623f", "copper": "#b06a3b",
    "coral": "#f0705f", "peach": "#f6b08c", "yellow": "#f2c53d", "gold": "#d9a425", "golden": "#e0ab3a",
    "mustard": "#c99a2e", "ochre": "#c08a34", "green": "#3f8f4f", "emerald": "#1f8a5f", "jade": "#3f9d7c",
    "mint": "#9fdcc0", "sage": "#95a98a", "olive": "#7a7f3a", "lime": "#a6c93a", "teal": "#1f8a8a",
    "turquoise": "#37b5b0", "cyan": "#3fc1d6", "aqua": "#58c4c9", "blue": "#2f6fbf", "navy": "#1d2f5c",
    "cobalt": "#1f4fa8", "azure": "#4a9fe0", "indigo": "#3c3a8c", "ultramarine": "#2a3fa0", "purple": "#7a3f9d",
    "violet": "#7f56c2", "lavender": "#b6a3dc", "lilac": "#c6a8d8", "magenta": "#c03a92", "pink": "#ea8fb0",
    "rose": "#d9748c", "brown": "#7a5238", "chocolate": "#5a3825", "beige": "#dcc9a8", "cream": "#f3e6c8",
    "ivory": "#f6efdd", "white": "#f4f2ec", "silver": "#b9bfc6", "grey": "#8b9097", "gray": "#8b9097",
    "charcoal": "#3a3d42", "black": "#1b1b1f",
    # Seasons and hours have colours too.
    "autumn": "#c8682f", "winter": "#a9c3d6", "spring": "#8fc27a", "summer": "#f0b93f", "sunset": "#ec6f45",
    "sunrise": "#f4a27a", "dawn": "#e9a6a0", "dusk": "#7a5a8c", "midnight": "#1b2548", "forest": "#3f6b45",
    "ocean": "#2a7f9e", "desert": "#d9a567",
}  # fmt: skip
_DARK_WORDS = re.compile(r"\b(night|midnight|dark|moody|noir|nocturnal|moonlit|moonlight)\b")
_LIGHT_WORDS = re.compile(r"\b(bright|pastel|airy|high-key|noon|snow|snowy|minimalist)\b")
_HEX = re.compile(r"#([0-9a-f]{6}|[0-9a-f]{3})\b")
_WORD = re.compile(r"[a-z]+")


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one picture.

    Attributes:
        ramp: Five colours from the darkest to the lightest.
        subjects: Colours for the things in the picture.
        accent: The one that stands out.
        dark: Whether the picture is lit like a night.
    """

    ramp: tuple[Colour, ...]
    subjects: tuple[Colour, ...]
    accent: Colour
    dark: bool

    def tone(self, lightness: float) -> Colour:
        """A colour of the ramp, from 0 (darkest) to 1 (lightest), blended between its neighbours."""
        position = min(max(lightness, 0.0), 1.0) * (len(self.ramp) - 1)
        lower = min(int(position), len(self.ramp) - 2)
        return mix(self.ramp[lower], self.ramp[lower + 1], position - lower)


def named_colours(prompt: str) -> list[Colour]:
    """The colours that a text names, as words or as hex codes, in its order and without repeats."""
    text = prompt.lower()
    found = [(match.start(), from_hex(match[0])) for match in _HEX.finditer(text)]
    found += [(match.start(), from_hex(_NAMED[match[0]])) for match in _WORD.finditer(text) if match[0] in _NAMED]
    return list(dict.fromkeys(colour for _, colour in sorted(found)))


def palette_for(prompt: str, rng: random.Random) -> Palette:
    """The colours of a picture: a set chosen by the seed, bent towards what the prompt names."""
    *ramp, accent = (from_hex(code) for code in rng.choice(_SETS))
    anchors = named_colours(prompt)
    dark = rng.random() < 0.35
    if _DARK_WORDS.search(prompt.lower()):
        dark = True
    elif _LIGHT_WORDS.search(prompt.lower()):
        dark = False
    if anchors:
        lead = anchors[rng.randrange(len(anchors))]
        strength = rng.uniform(0.4, 0.7)
        ramp = [mix(tone, at_lightness(lead, lightness(tone)), strength) for tone in ramp]
        accent = anchors[-1] if len(anchors) > 1 else mix(accent, lead, 0.35)
    subjects = [*anchors, ramp[1], ramp[2], accent, ramp[3], ramp[0]]
    if not anchors:
        rng.shuffle(subjects)
    return Palette(tuple(ramp), tuple(subjects), accent, dark)


def from_hex(code: str) -> Colour:
    """The colour of ``#rrggbb`` or ``#rgb``."""
    digits = code.lstrip("#")
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """A blend with so much of the second colour, 0 to 1."""
    return (
        round(first[0] + (second[0] - first[0]) * share),
        round(first[1] + (second[1] - first[1]) * share),
        round(first[2] + (second[2] - first[2]) * share),
    )


def lightness(colour: Colour) -> float:
    """How light a colour looks, 0 to 1."""
    return (0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]) / 255


def at_lightness(colour: Colour, wanted: float) -> Colour:
    """The colour made lighter or darker until it looks as light as wanted (0 to 1)."""
    own = lightness(colour)
    if own > wanted:
        return mix(colour, BLACK, 1 - wanted / own)
    return mix(colour, WHITE, (wanted - own) / max(1 - own, 1e-6))
