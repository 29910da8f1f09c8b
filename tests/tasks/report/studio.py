"""A small studio: draws still lifes, writes their records, and keeps them in a store in memory."""

import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from blocks.archive.layout import object_key
from blocks.archive.store import StoredObject
from blocks.errors import ArchiveError
from blocks.provider import Money, PictureRequest
from tasks.models import (
    Binding,
    Checks,
    Cost,
    Failure,
    ImageRecord,
    Prompt,
    ReferenceUse,
    Verdict,
    derive_seed,
    sha256_of,
)
from tasks.report import Sheet

GLAZES = {"cobalt": (38, 70, 150), "celadon": (140, 176, 150), "oxblood": (122, 30, 34), "tenmoku": (60, 40, 30)}
LIGHTS = {
    "morning": ((236, 224, 204), (190, 160, 128)),
    "dusk": ((96, 74, 110), (52, 36, 40)),
    "neon": ((30, 120, 140), (140, 30, 110)),
}
MADE_AT = datetime(2025, 11, 20, 10, 16, tzinfo=UTC)
HOSTILE = """</script><img src=x onerror=alert(1)> "quoted' `code` | pipe\n<b>new line</b> onload="x" """


class MemoryStore:
    """The contract of a store, in memory; counts the writes of each key."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.writes: dict[str, int] = {}

    async def put(self, key: str, data: bytes) -> None:
        """Writes or replaces."""
        self.objects[key] = data
        self.writes[key] = self.writes.get(key, 0) + 1

    async def put_if_absent(self, key: str, data: bytes) -> bool:
        """Writes unless the key is taken."""
        if key in self.objects:
            return False
        await self.put(key, data)
        return True

    async def get(self, key: str) -> bytes:
        """Reads, or raises ArchiveError."""
        if key not in self.objects:
            raise ArchiveError(f"There is no {key!r}.")
        return self.objects[key]

    async def head(self, key: str) -> StoredObject | None:
        """Says whether it is there."""
        data = self.objects.get(key)
        return None if data is None else StoredObject(key=key, size_bytes=len(data))

    async def list(self, prefix: str) -> AsyncIterator[str]:
        """Lists keys."""
        for key in sorted(self.objects):
            if key.startswith(prefix):
                yield key

    async def delete(self, key: str) -> None:
        """Removes."""
        self.objects.pop(key, None)


def draw(glaze: str, light: str, seed: int, side_px: int = 320, lid: bool = True) -> Image.Image:
    """Draws a pot on a table: the same arguments give the same pixels."""
    wall, table = LIGHTS[light]
    clay = GLAZES[glaze]
    side = side_px
    ramp = Image.linear_gradient("L").resize((side, side))
    room = Image.composite(Image.new("RGB", (side, side), table), Image.new("RGB", (side, side), wall), ramp)
    x, y, r = side * (0.42 + seed % 7 / 40), side * (0.56 + seed % 3 / 40), side * (0.18 + seed % 5 / 60)
    pen = ImageDraw.Draw(room)
    pen.rectangle((0, y + r * 0.8, side, side), tuple(value * 7 // 10 for value in table))
    shadow = Image.new("L", (side, side), 0)
    ImageDraw.Draw(shadow).ellipse((x - r * 1.4, y + r * 0.7, x + r * 2.1, y + r * 1.15), fill=150)
    room.paste((20, 14, 12), mask=shadow.filter(ImageFilter.GaussianBlur(side / 50)))
    pot = Image.new("L", (side, side), 0)
    pen = ImageDraw.Draw(pot)
    pen.ellipse((x - r, y - r * 0.85, x + r, y + r), fill=255)
    spout = [(0.7, 0.3), (1.6, -0.7), (1.8, -0.6), (0.8, 0.7)]
    pen.polygon([(x + r * right, y + r * down) for right, down in spout], fill=255)
    pen.arc((x - r * 1.7, y - r * 0.5, x - r * 0.6, y + r * 0.6), 60, 300, fill=255, width=max(2, side // 36))
    if lid:
        pen.ellipse((x - r * 0.12, y - r * 1.1, x + r * 0.12, y - r * 0.84), fill=255)
    room.paste(clay, mask=pot.filter(ImageFilter.GaussianBlur(side / 600)))
    glow = Image.new("L", (side, side), 0)
    ImageDraw.Draw(glow).ellipse((x - r * 0.7, y - r * 0.6, x - r * 0.05, y + r * 0.05), fill=150)
    glow = ImageChops.multiply(glow.filter(ImageFilter.GaussianBlur(side / 22)), pot)
    room.paste((255, 246, 226), mask=glow)
    grain = Image.effect_noise((side, side), 18).convert("RGB") if side_px > 400 else None
    return Image.blend(room, grain, 0.06) if grain else room


def png(picture: Image.Image) -> bytes:
    with io.BytesIO() as file:
        picture.save(file, "PNG")
        return file.getvalue()


class Studio:
    """Makes pictures with their records and verdicts, in plan order."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.images: list[ImageRecord] = []
        self.verdicts: list[Verdict] = []
        self.references: list[ReferenceUse] = []
        self.failures: list[Failure] = []

    def add(
        self,
        prompt: Prompt | str,
        *,
        data: bytes | None = None,
        parent: ImageRecord | str | None = None,
        instruction: str = "",
        repeats: ImageRecord | str | None = None,
        distance_bits: int = 3,
        sandbox: bool = False,
    ) -> ImageRecord:
        """Makes one image: generated, or an edit of `parent`; a duplicate where it `repeats` another."""
        position = len(self.images)
        data = data or png(Image.new("RGB", (48, 32), (position * 7 % 255, 90, 120)))
        self.store.objects.setdefault(object_key(sha256_of(data)), data)
        record = self._record(prompt, data, parent, instruction, sandbox)
        self.images.append(record)
        keeper = _name_of(repeats) or record.sha256
        kind = "keeper" if repeats is None else "duplicate"
        reason = "" if repeats is None else "the same composition, another grain"
        self.verdicts.append(
            Verdict(
                sha256=record.sha256,
                kind=kind,
                keeper_sha256=keeper,
                distance_bits=0 if repeats is None else distance_bits,
                reason=reason,
            )
        )
        return record

    def _record(
        self, prompt: Prompt | str, data: bytes, parent: ImageRecord | str | None, instruction: str, sandbox: bool
    ) -> ImageRecord:
        prompt = prompt if isinstance(prompt, Prompt) else Prompt(text=prompt, template=prompt)
        position = len(self.images)
        with Image.open(io.BytesIO(data)) as picture:
            width_px, height_px = picture.size
        scenario = parent is None
        request = PictureRequest(
            model="model_bfl-flux-2-klein-4b" if scenario else "flux-2-klein-4b/edit",
            prompt=prompt.text if scenario else instruction,
            seed=derive_seed("test", position),
            steps=4,
        )
        step = parent.step + 1 if isinstance(parent, ImageRecord) else int(parent is not None)
        return ImageRecord(
            sha256=sha256_of(data),
            shot_key=sha256_of(f"shot {position}".encode()),
            provider="scenario" if scenario else "sunra",
            sandbox=sandbox,
            job_id=f"job-{position}",
            output_index=0,
            request=request,
            prompt=prompt,
            step=step,
            parent_sha256=_name_of(parent),
            references=tuple(self.references) if parent is not None else (),
            campaign="teapots",
            edition="2025-11",
            position=position,
            cost=Money(amount=Decimal(5), unit="CU") if scenario else Money(amount=Decimal("0.014"), unit="USD"),
            checks=Checks(
                media_type="image/png",
                width_px=width_px,
                height_px=height_px,
                size_bytes=len(data),
                fingerprint="0" * 48,
            ),
            made_at=MADE_AT,
        )

    def sheet(self, title: str = "Teapots for a small shop", **changes: object) -> Sheet:
        """Hands over everything made so far."""
        values: dict[str, object] = {
            "title": title,
            "archive_id": "0123456789abcdef" * 2,
            "campaign": "teapots",
            "edition": "2025-11",
            "images": tuple(self.images),
            "verdicts": tuple(self.verdicts),
            "failures": tuple(self.failures),
            "cost": Cost.of(image.cost for image in self.images),
            "bought": len(self.images),
            "reused": 0,
            "references": tuple(self.references),
            "made_at": MADE_AT,
        }
        return Sheet.model_validate(values | changes)


def _name_of(picture: ImageRecord | str | None) -> str | None:
    return picture.sha256 if isinstance(picture, ImageRecord) else picture


INSTRUCTIONS = (
    "Change the light to dusk; keep the pot.",
    "Make it neon light from the left.",
    "Remove the lid's knob.",
)


def furnish(studio: Studio, seeds: int = 4, side_px: int = 320) -> None:
    """Makes a campaign with everything that a sheet can show: chains, a branch, duplicates, failures, references."""
    for role, glaze in (("product", "cobalt"), ("style", "oxblood")):
        data = png(draw(glaze, "morning", 1, side_px))
        studio.store.objects[object_key(sha256_of(data))] = data
        studio.references.append(ReferenceUse(role=role, sha256=sha256_of(data)))
    for glaze in GLAZES:
        for light in LIGHTS:
            _one_prompt(studio, glaze, light, seeds if light == "morning" else 1, side_px)
    studio.add(HOSTILE, data=png(draw("tenmoku", "neon", 9, side_px)))
    studio.add("Already known", data=png(draw("celadon", "neon", 8, side_px)), repeats=studio.references[0].sha256)
    for kind, message in (("JobFailed", "The safety filter stopped it."), ("JobTimedOut", HOSTILE)):
        studio.failures.append(
            Failure(shot_key=sha256_of(kind.encode()), prompt="A teapot", step=0, kind=kind, message=message)
        )


def _one_prompt(studio: Studio, glaze: str, light: str, seeds: int, side_px: int) -> None:
    text = f"A stoneware teapot with a {glaze} glaze on a linen cloth, {light} light from a high window, 85 mm"
    bindings = (Binding(name="glaze", value=glaze), Binding(name="light", value=light))
    prompt = Prompt(text=text, template="A stoneware teapot with a {glaze} glaze", bindings=bindings)
    first = studio.add(prompt, data=png(draw(glaze, light, 0, side_px)))
    for seed in range(1, seeds):
        studio.add(prompt, data=png(draw(glaze, light, seed, side_px)))
    if light == "dusk":
        near = draw(glaze, light, 0, side_px).point(lambda value: min(255, value + 3))
        studio.add(prompt, data=png(near), repeats=first, distance_bits=4)
        same = draw(glaze, light, 0, side_px).point(lambda value: min(255, value + 1))
        studio.add(prompt, data=png(same), repeats=first, distance_bits=1)
    if light == "morning" and glaze in {"cobalt", "celadon"}:
        _edit(studio, prompt, first, glaze, side_px)


def _edit(studio: Studio, prompt: Prompt, first: ImageRecord, glaze: str, side_px: int) -> None:
    dusk = studio.add(prompt, data=png(draw(glaze, "dusk", 0, side_px + 1)), parent=first, instruction=INSTRUCTIONS[0])
    studio.add(prompt, data=png(draw(glaze, "neon", 0, side_px + 1)), parent=dusk, instruction=INSTRUCTIONS[1])
    if glaze == "celadon":
        bare = png(draw(glaze, "morning", 0, side_px, lid=False))
        studio.add(prompt, data=bare, parent=first, instruction=INSTRUCTIONS[2])
