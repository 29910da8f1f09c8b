r"""The prompt grammar: one text with choices and axes stands for many prompts.

| written | meaning |
|---|---|
| `{red\|blue}` | a choice. Choices nest, and an option may be empty: `a {\|very }big mug` |
| `${light}` | the value of the axis `light`: drawn once per prompt, the same wherever it is used |
| `{no bar}` | literal text, braces included; what is nested inside is still read |
| `{"a": "x\|y"}` | a JSON object: literal text, see below |
| `\{ \} \\| \$ \\` | the character itself; a backslash before anything else is a backslash |

Everything else is literal: `#FF5733`, `$5`, `50%`, `@name`, URLs, emoji, newlines, and `|` outside braces. There are no
comments. White space is never trimmed. The value of an axis is literal text: braces in it are not read.

JSON: a brace that opens a valid JSON object makes the whole object literal, byte for byte, backslashes included. Only
choices and axes are still read, each inside one of its strings: `{"color": "{red|blue}", "light": "${light}"}`. A lone
brace in such a string is literal. What is not valid JSON follows the ordinary rules, so `{"number": {1|2}}` is a group
without a bar around a choice. But a choice that begins like JSON, such as `{"a": "x|y", "n": {1|2}}`, is an error: its
bar would cut the JSON in two.

Errors, each with line, column and a remedy: an axis that does not exist, a brace without its partner, braces more than
50 deep, and `{light}` where `light` is an axis (the `$` was forgotten).
"""

from tasks.prompts.errors import PromptSyntaxError
from tasks.prompts.expansion import expand_all, render, sample
from tasks.prompts.parser import escape, parse
from tasks.prompts.references import reference_numbers
from tasks.prompts.template import Expansion, Template

__all__ = [
    "Expansion",
    "PromptSyntaxError",
    "Template",
    "escape",
    "expand_all",
    "parse",
    "reference_numbers",
    "render",
    "sample",
]
