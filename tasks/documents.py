"""YAML files of people, read with care: whatever is in them, what is wrong is said with its place."""

import reprlib
from collections.abc import Hashable
from pathlib import Path

import yaml

from blocks.errors import BriefError

_SHORT = reprlib.Repr()  # it never walks a whole document, which aliases can make enormous
_SHORT.maxlevel = 2
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxdict = 3
_SHORT.maxstring = _SHORT.maxother = 60


def read_yaml(path: Path) -> dict[object, object]:
    """Reads a YAML file that holds a mapping.

    Raises:
        BriefError: There is no such file, it is no YAML, or it holds no mapping.
    """
    try:
        document = _parse(path.read_text(encoding="utf-8"), shown_as=path.name)
    except FileNotFoundError as error:
        raise BriefError(f"There is no brief at {path}.") from error
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, or a name that no file can have
        raise BriefError(f"{str(path)!r} cannot be read as a brief: {error}") from error
    except yaml.YAMLError as error:
        raise BriefError(f"{path} is no valid YAML: {error}") from error
    except RecursionError as error:
        raise BriefError(f"{path} nests lists or mappings far deeper than any brief.") from error
    if not isinstance(document, dict):
        raise BriefError(f"{path} holds no brief: a mapping with at least a `name` is expected.")
    return document


def shortened(value: object) -> str:
    """Shows a value in one short line, whatever it is."""
    try:
        return _SHORT.repr(value)
    except ValueError:  # an integer with more digits than Python prints
        return "an enormous number"


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which names the place of values that it cannot make (`2024-13-45`, `!!bool maybe`).

    A key that stands twice is refused: PyYAML would silently keep the last.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                problem = f"{shortened(key.value)} stands there twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else "")
        return super().construct_mapping(node, deep=deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Hashable:
        try:
            made: Hashable = super().construct_object(node, deep=deep)
        except (ValueError, LookupError, AttributeError) as error:  # how PyYAML's own constructors fail
            problem = f"{shortened(node.value)} is no {node.tag.rpartition(':')[2]}; for a text, put quotes around it"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from error
        return made


def _parse(text: str, *, shown_as: str) -> object:
    loader = _Loader(text)
    loader.name = shown_as
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()
