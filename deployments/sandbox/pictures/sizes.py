"""Picture sizes: about one megapixel, sides that are multiples of 16."""

import math

LARGEST_PIXELS = 1024 * 1024
_GRID_PX = 16


def fitted_size(ratio: float, pixels: int = LARGEST_PIXELS) -> tuple[int, int]:
    """Width and height of about so many pixels in that ratio (width / height), each a multiple of 16.

    >>> fitted_size(16 / 9)
    (1360, 768)
    """
    height = math.sqrt(pixels / ratio)
    return _on_grid(height * ratio), _on_grid(height)


def _on_grid(length: float) -> int:
    return min(2048, max(128, round(length / _GRID_PX) * _GRID_PX))
