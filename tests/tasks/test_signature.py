from collections.abc import Callable
from pathlib import Path

import imagehash
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from tasks.measured import VIEWS, Checks, Signature
from tasks.near import FINGERPRINT_RULE, fingerprint, small_of
from tasks.signature import (
    CROP_SHARE,
    PACKED,
    SIGNATURE_RULE,
    are_color_variants,
    are_plain,
    fingerprint_of,
    is_color_variant,
    is_comparable,
    is_plain,
    packed,
    sign,
    signature_row,
    spans,
    unpacked,
    unpacked_each,
)

PHOTOGRAPHS = Path(__file__).parents[2] / "deployments" / "briefs" / "photographs"

MakePicture = Callable[..., Image.Image]


def said_by_imagehash(gray: Image.Image) -> str:
    return "".join(str(part) for part in (imagehash.phash(gray), imagehash.dhash(gray), imagehash.dhash_vertical(gray)))


def drawn(kind: str, width_px: int, height_px: int, seed: int) -> Image.Image:
    """A picture of noise, of soft shapes, of a ramp, of two colours, or of one."""
    chance = np.random.default_rng(seed)
    if kind == "noise":
        return Image.fromarray(chance.integers(0, 256, (height_px, width_px, 3), dtype=np.uint8))
    if kind == "shapes":
        few = Image.fromarray(chance.integers(0, 256, (9, 9, 3), dtype=np.uint8))
        return few.resize((width_px, height_px), Image.Resampling.BICUBIC)
    if kind == "ramp":
        return Image.linear_gradient("L").rotate(90 * (seed % 4)).resize((width_px, height_px)).convert("RGB")
    picture = Image.new("RGB", (width_px, height_px), (seed % 256, 90, 7))
    if kind == "two colours":
        picture.paste((200, 220, 240), (width_px // 3, 0, width_px, height_px // 2))
    return picture


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["noise", "shapes", "ramp", "two colours", "one colour"]),
    st.integers(1, 420),
    st.integers(1, 420),
    st.integers(0, 1000),
)
def test_every_view_is_what_imagehash_says_of_it(kind: str, width_px: int, height_px: int, seed: int) -> None:
    """The full picture, nine crops and the mirrored one, bit for bit, also where there is nothing to see."""
    picture = drawn(kind, width_px, height_px, seed)
    gray = small_of(picture).convert("L")
    half = gray.reduce(2) if min(gray.size) >= 128 else gray
    crops = [
        half.crop((left, top, right, bottom)) for top, bottom in spans(half.height) for left, right in spans(half.width)
    ]
    found = sign(picture)

    assert found.views == "".join(said_by_imagehash(view) for view in (gray, *crops))
    assert found.mirror == said_by_imagehash(ImageOps.mirror(gray))
    assert fingerprint_of(found) == fingerprint(picture)
    assert found.rule == SIGNATURE_RULE


@given(st.integers(1, 100_000))
def test_crops_lie_within_the_picture_from_edge_to_edge(side_px: int) -> None:
    """All three are of one length; the first begins at one edge, the last ends at the other."""
    first, middle, last = spans(side_px)

    assert {end - start for start, end in (first, middle, last)} == {max(1, round(side_px * CROP_SHARE))}
    assert first[0] == 0
    assert last[1] == side_px
    assert abs((middle[0] - first[0]) - (last[0] - middle[0])) <= 1


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK", "I;16", "RGBA"])
def test_any_mode_can_be_signed(make_picture: MakePicture, mode: str) -> None:
    """Pictures of providers and of foreign folders come in all of them; what has no colours has neutral ones."""
    gray = make_picture(3).convert("L")
    picture = gray.convert("I").convert("I;16") if mode == "I;16" else gray.convert(mode)

    assert set(bytes.fromhex(sign(picture).chroma)) <= {127, 128, 129}


def test_little_to_see_is_plain(make_picture: MakePicture) -> None:
    """One colour, a soft gradient, a little noise: hashes of these say nothing. Photographs are not plain."""
    ramp = Image.linear_gradient("L").resize((400, 300)).convert("RGB")
    faint = Image.effect_noise((400, 300), 2).convert("RGB")

    assert all(is_plain(sign(each)) for each in (Image.new("RGB", (400, 300), "teal"), ramp, faint))
    assert not any(is_plain(sign(Image.open(path))) for path in PHOTOGRAPHS.glob("*.jpg"))
    assert not is_plain(sign(drawn("shapes", 400, 300, 1)))


def test_detail_and_gradient_have_bounds() -> None:
    """The liveliest picture says the most that there is; one colour says nothing."""
    board = Image.fromarray(np.indices((256, 256)).sum(axis=0).astype(np.uint8) // 28 % 2 * 255)
    lively, dull = sign(board), sign(Image.new("L", (256, 256), 77))

    assert (lively.detail, lively.gradient) == (128, 255)
    assert (dull.detail, dull.gradient) == (0, 0)


def test_other_colours_of_the_same_shapes_are_a_variant(make_picture: MakePicture) -> None:
    """A colourway is told from a copy that was encoded or lit otherwise; what is unknown is no variant."""
    picture = make_picture(4)
    red, green, blue = picture.split()
    turned = Image.merge("RGB", (blue, red, green))
    lighter = picture.point(lambda level: min(255, level + 6))
    gray = picture.convert("L").convert("RGB")
    one_view = unpacked_each([bytes.fromhex(fingerprint(picture))])

    assert is_color_variant(sign(picture), sign(turned))
    assert is_color_variant(sign(picture), sign(gray))
    assert not is_color_variant(sign(picture), sign(lighter))
    assert not is_color_variant(sign(picture), sign(ImageOps.mirror(picture)), mirrored=True)
    assert is_color_variant(sign(picture), sign(ImageOps.mirror(turned)), mirrored=True)
    assert not are_color_variants(unpacked(packed(sign(turned))), one_view).any()


def signature_of(views: bytes, detail: int, gradient: int) -> Signature:
    return Signature(
        rule=SIGNATURE_RULE,
        views=views.hex(),
        mirror=views[:24][::-1].hex(),
        detail=detail,
        gradient=gradient,
        chroma=views[-32:].hex(),
    )


@given(
    st.lists(st.builds(signature_of, st.binary(min_size=240, max_size=240), st.integers(0, 128), st.integers(0, 255)))
)
def test_packing_keeps_everything(signatures: list[Signature]) -> None:
    """298 bytes each, one behind the other, and all of it is there again."""
    rows = unpacked(b"".join(packed(each) for each in signatures))

    assert PACKED.itemsize == 298
    assert [row["views"].tobytes().hex() for row in rows] == [each.views for each in signatures]
    assert [row["mirror"].tobytes().hex() for row in rows] == [each.mirror for each in signatures]
    assert [row["chroma"].tobytes().hex() for row in rows] == [each.chroma for each in signatures]
    assert rows["detail"].tolist() == [each.detail for each in signatures]
    assert are_plain(rows).tolist() == [is_plain(each) for each in signatures]


def test_an_old_record_takes_part_with_its_one_view(make_picture: MakePicture) -> None:
    """Its crops and its mirror image are the picture itself: they never make it nearer, and it is not plain."""
    signature = sign(make_picture(2))
    old = Checks(media_type="image/png", width_px=1, height_px=1, size_bytes=1, fingerprint=fingerprint_of(signature))
    new = old.model_copy(update={"signature": signature})
    (first, second) = unpacked_each([signature_row(old)[1], signature_row(new)[1]])

    assert signature_row(old) == (FINGERPRINT_RULE, bytes.fromhex(old.fingerprint))
    assert signature_row(new) == (SIGNATURE_RULE, packed(signature))
    assert [view.tobytes().hex() for view in (*first["views"], first["mirror"])] == [old.fingerprint] * (VIEWS + 1)
    assert second == unpacked(packed(signature))[0]
    assert not are_plain(unpacked_each([signature_row(old)[1]])).any()


def test_only_what_is_known_compares() -> None:
    """Another rule, or bytes that are not what their rule makes, are left to be signed anew."""
    assert is_comparable(SIGNATURE_RULE, bytes(298))
    assert is_comparable(FINGERPRINT_RULE, bytes(24))
    assert not is_comparable(SIGNATURE_RULE, bytes(24))
    assert not is_comparable(FINGERPRINT_RULE, b"")
    assert not is_comparable("phash16/1", bytes(24))
