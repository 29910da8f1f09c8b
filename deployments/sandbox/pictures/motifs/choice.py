"""Which motif a prompt asks for."""

import random
import re
from collections.abc import Callable

from deployments.sandbox.pictures.motifs.bauhaus import bauhaus
from deployments.sandbox.pictures.motifs.botanical import botanical
from deployments.sandbox.pictures.motifs.city import city
from deployments.sandbox.pictures.motifs.hills import hills
from deployments.sandbox.pictures.motifs.poster import poster
from deployments.sandbox.pictures.motifs.still_life import still_life
from deployments.sandbox.pictures.palette import Palette
from deployments.sandbox.pictures.recipe import number_from
from deployments.sandbox.pictures.scene import Scene

Motif = Callable[[str, random.Random, Palette, float], Scene]

_WORDS: dict[Motif, str] = {
    still_life: "still teapot teapots tea vase vases bottle bottles bowl bowls cup cups mug jug pitcher pottery "
    "ceramic ceramics porcelain product perfume fruit apple apples pear lemon table kitchen coffee kettle amphora",
    hills: "landscape landscapes mountain mountains hill hills valley lake sea ocean beach desert dune dunes island "
    "fjord coast river sky horizon forest meadow countryside planet vista canyon volcano",
    city: "city cityscape skyline street streets alley building buildings tower towers architecture tokyo paris berlin "
    "york downtown urban town village house houses neon castle station",
    botanical: "botanical leaf leaves flower flowers plant plants fern ferns bouquet garden rose roses tulip poppy "
    "bloom blossom herb herbs foliage monstera orchid peony tree",
    poster: "poster abstract cover album print collage cutout matisse screenprint riso risograph shapes wallpaper",
    bauhaus: "bauhaus geometric geometry pattern grid logo icon tiles tile mosaic modernist constructivist textile",
}
_MOTIF_OF_WORD = {word: motif for motif, words in _WORDS.items() for word in words.split()}
_WORD = re.compile(r"[a-z]+")


def motif_for(prompt: str) -> Motif:
    """The motif of the first word that names one; a prompt that names none has always the same one."""
    for word in _WORD.findall(prompt.lower()):
        if word in _MOTIF_OF_WORD:
            return _MOTIF_OF_WORD[word]
    return list(_WORDS)[number_from("motif", prompt) % len(_WORDS)]
