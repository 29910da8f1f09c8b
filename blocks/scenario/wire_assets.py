"""Scenario's requests and answers about assets (the pictures it holds) and uploads, exactly as Scenario names them."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from blocks.scenario.wire_types import ScenarioAnswer, ScenarioRequest, Text, Tolerant, VendorId, WholeNumber

MAX_BULK_ASSETS = 200
"""Asset ids in one `POST /assets/get-bulk` (official SDK, asset_get_bulk_params)."""


class AssetRequest(ScenarioRequest):
    """Body of `POST /assets`: a small picture, inline."""

    name: str
    image: str = Field(description="A data URL.", repr=False)
    hide: bool | None = None


class UploadRequest(ScenarioRequest):
    """Body of `POST /uploads`: announces a file that comes in parts."""

    kind: Literal["image"] = "image"
    file_name: str
    file_size: int = Field(description="Bytes.")
    content_type: str
    parts: int = Field(ge=1)


class AssetProperties(ScenarioAnswer):
    """Measures of an asset."""

    size: WholeNumber = Field(default=None, description="Bytes.")
    width: WholeNumber = Field(default=None, description="Pixels.")
    height: WholeNumber = Field(default=None, description="Pixels.")


class Asset(ScenarioAnswer):
    """A picture that Scenario holds. Its URLs are signed: never shown."""

    id: VendorId
    url: Annotated[str | None, Tolerant] = Field(default=None, repr=False)
    mime_type: Text = None
    original_file_url: Annotated[str | None, Tolerant] = Field(
        default=None, repr=False, description="Given where the asset was made from another file, which is this."
    )
    original_mime_type: Text = None
    status: Text = Field(default=None, description="`pending`, `success` or `error`.")
    properties: Annotated[AssetProperties | None, Tolerant] = None


class AssetAnswer(ScenarioAnswer):
    """Answer of `GET /assets/{assetId}` and `POST /assets`."""

    asset: Asset


class AssetsAnswer(ScenarioAnswer):
    """Answer of `POST /assets/get-bulk`: in any order, without those that do not exist."""

    assets: tuple[Asset, ...]

    def in_order_of(self, asset_ids: Sequence[str]) -> tuple[Asset, ...]:
        """Puts the assets into the order in which they were asked for."""
        by_id = {asset.id: asset for asset in self.assets}
        return tuple(by_id[asset_id] for asset_id in asset_ids if asset_id in by_id)


class UploadPart(ScenarioAnswer):
    """Where one part of a file goes: a signed URL, used without credentials."""

    number: int
    url: str = Field(repr=False)


class Upload(ScenarioAnswer):
    """An upload: `pending complete validating validated imported`, or `failed`."""

    id: VendorId
    status: str
    parts: tuple[UploadPart, ...] = ()
    entity_id: Annotated[VendorId | None, Tolerant] = Field(default=None, description="The asset, once imported.")
    job_id: Annotated[VendorId | None, Tolerant] = None
    error_message: Text = None


class UploadAnswer(ScenarioAnswer):
    """Answer of the three calls on `/uploads`."""

    upload: Upload
