"""The pictures that the sandbox keeps: uploaded bytes, and recipes of generated ones."""

import base64
import binascii
import io
import secrets
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from PIL import Image, UnidentifiedImageError

from deployments.sandbox.pictures.recipe import Recipe

MIME_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}
EXTENSIONS = {"image/png": "png", "image/jpeg": "jpeg", "image/webp": "webp", "image/gif": "gif"}


@dataclass(frozen=True, slots=True)
class Asset:
    """One picture, either with its bytes (uploaded) or with the recipe that draws it (generated).

    Attributes:
        owner: The provider whose API made it.
        created: Epoch seconds.
        facts: What the provider's API says about it beyond these fields.
    """

    asset_id: str
    owner: str
    name: str
    created: float
    mime_type: str
    width_px: int
    height_px: int
    payload: bytes | None = None
    recipe: Recipe | None = None
    job_id: str | None = None
    sequence: int = 0
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def file_name(self) -> str:
        """A file name that fits the picture's type."""
        return f"{self.asset_id}.{EXTENSIONS[self.mime_type]}"

    @property
    def prompt(self) -> str:
        """The prompt that made it, or the name it was uploaded under."""
        return self.recipe.prompt if self.recipe else self.name


class Storage:
    """All assets by id."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._assets: dict[str, Asset] = {}
        self._aliases: dict[str, str] = {}
        self._sequence = 0

    def add(self, *, owner: str, **facts: Any) -> Asset:
        """Keep a picture under a new id."""
        self._sequence += 1
        asset_id = "asset_" + secrets.token_urlsafe(18).replace("-", "x").replace("_", "y")
        asset = Asset(asset_id=asset_id, owner=owner, created=self._clock(), sequence=self._sequence, **facts)
        self._assets[asset_id] = asset
        return asset

    def add_upload(self, owner: str, name: str, payload: bytes, **facts: Any) -> Asset | None:
        """Keep uploaded bytes, or return ``None`` when they are no picture."""
        shape = picture_shape(payload)
        if shape is None:
            return None
        mime_type, width_px, height_px = shape
        return self.add(
            owner=owner,
            name=name,
            mime_type=mime_type,
            width_px=width_px,
            height_px=height_px,
            payload=payload,
            facts=facts,
        )

    def find(self, asset_id: str) -> Asset | None:
        """The asset with that id or alias."""
        return self._assets.get(self._aliases.get(asset_id, asset_id))

    def alias(self, name: str, asset_id: str) -> None:
        """Make an asset known under another name too."""
        self._aliases[name] = asset_id

    def newest_first(self, owner: str) -> Iterator[Asset]:
        """One provider's assets, the latest one first."""
        return (asset for asset in reversed(list(self._assets.values())) if asset.owner == owner)

    def remove(self, asset_id: str) -> None:
        """Forget an asset."""
        self._assets.pop(asset_id, None)

    def clear(self) -> None:
        """Forget all."""
        self._assets.clear()
        self._aliases.clear()


def picture_shape(payload: bytes) -> tuple[str, int, int] | None:
    """MIME type, width and height of a picture's bytes, or ``None`` when they are no picture that we read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(payload), formats=tuple(MIME_TYPES)) as picture:
                return MIME_TYPES[str(picture.format)], picture.width, picture.height
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError):
        return None


def from_base64(text: str) -> bytes | None:
    """The bytes of a base64 text or of a ``data:...;base64,`` URL, or ``None`` when it is neither."""
    _, comma, tail = text.partition(",")
    encoded = tail if text.startswith("data:") and comma else text
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return None
