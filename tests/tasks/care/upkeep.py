"""What tests of the upkeep share: pictures that are kept as a run keeps them, disks that fail, rows that change."""

from collections.abc import Callable, Sequence
from pathlib import Path

from sqlalchemy import create_engine, text

from blocks.archive.archive import Archive
from blocks.archive.layout import CATALOGUE_FILE, object_key, record_key
from tasks.gate.admit import Expected, admit
from tasks.models import ImageRecord, ReferenceUse, sha256_of
from tasks.records import catalogue_entry
from tasks.replay import shot_of
from tests.tasks.gate.files import encoded, scene
from tests.tasks.gate.spoilt import GOOD

ImageOf = Callable[..., ImageRecord]
REFERENCE = encoded(scene().rotate(90), "JPEG")
OTHER = encoded(scene().rotate(180), "PNG")
ORPHAN = sha256_of(OTHER)


async def filled(archive: Archive, image_of: ImageOf) -> Sequence[ImageRecord]:
    """Keeps the four good pictures; the last is an edit of the first, with a reference."""
    await archive.store.put_if_absent(object_key(sha256_of(REFERENCE)), REFERENCE)
    records = [
        bought(image_of(sha256=sha256_of(data), checks=admit(data, Expected(), "It").checks), seed=number)
        for number, data in enumerate(GOOD.values())
    ]
    reference = ReferenceUse(role="style", sha256=sha256_of(REFERENCE))
    edit = {"parent_sha256": records[0].sha256, "references": (reference,), "step": 1}
    records[-1] = records[-1].model_copy(update=edit)
    for record, data in zip(records, GOOD.values(), strict=True):
        await keep(archive, record, data)
    return records


def bought(record: ImageRecord, seed: int = 1) -> ImageRecord:
    """Gives a record the request for a seed, and the key of the shot that this is, by which it proves itself."""
    asked = record.model_copy(update={"request": record.request.model_copy(update={"seed": seed})})
    return asked.model_copy(update={"shot_key": shot_of(asked).key})


async def keep(archive: Archive, record: ImageRecord, data: bytes) -> None:
    """Keeps one picture: bytes, record, row."""
    await archive.store.put_if_absent(object_key(record.sha256), data)
    await archive.store.put_if_absent(record_key(record.sha256), record.model_dump_json(indent=1).encode())
    await archive.catalogue.add([catalogue_entry(record)])


async def keys(archive: Archive) -> set[str]:
    """Lists all that lies in an archive, its database apart."""
    return {key async for key in archive.store.list("") if not key.startswith(CATALOGUE_FILE)}


def overwrite(archive: Archive, key: str, data: bytes) -> None:
    """What a failing disk does: past the store, which never changes anything."""
    path = Path(archive.root) / key
    path.chmod(0o644)
    path.write_bytes(data)


def execute(archive: Archive, *statements: str) -> None:
    """Changes the database behind the archive's back."""
    engine = create_engine(f"sqlite:///{archive.root}/{CATALOGUE_FILE}")
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()
