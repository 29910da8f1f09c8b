"""The hash of what is seen: equal for the same pixels in other bytes, such as a copy whose metadata was stripped."""

import hashlib

from PIL import Image


def pixels_sha256(picture: Image.Image) -> str:
    """Hashes size and pixels of a decoded picture, 8 bits a channel.

    The hashed bytes are `RGB 1024x768` and a line feed, then the pixels, row by row; `RGBA` where the picture has
    transparency. The orientation that EXIF may name is not applied.
    """
    mode = "RGBA" if picture.has_transparency_data else "RGB"
    same = picture if picture.mode == mode else picture.convert(mode)
    digest = hashlib.sha256(f"{mode} {same.width}x{same.height}\n".encode())
    digest.update(same.tobytes())
    return digest.hexdigest()
