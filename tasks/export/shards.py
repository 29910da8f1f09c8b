"""WebDataset: tar files with `SHA256.json`, `SHA256.png` and `SHA256.txt` for each picture, sorted by name.

USTAR with no owner and no time in it: the same pictures make the same bytes on every machine.

Each file holds pictures of one format. `datasets` takes the fields of all tar files from the first few pictures, and
refuses what has `jpg` in one place and `png` in another. `README.md` tells it so: `load_dataset(FOLDER, "jpg")`.
"""

import json
import tarfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from tasks.export.copied import Copy
from tasks.export.files import ExportedFile, OutFile, write_file
from tasks.export.manifest import MANIFEST

SHARD_SIZE_BYTES = 1_000_000_000
"""A tar file is closed when it has grown beyond this. About what the library's own documents advise."""

CARD = "README.md"
"""The dataset card, as the Hugging Face hub and `datasets` read it."""

_BLOCK = tarfile.BLOCKSIZE
_MODE = 0o644


class Shards:
    """Files `png-000000.tar`, `png-000001.tar` and so on, and the same for `jpg` and `webp`.

    Args:
        folder: Where they go; empty.
        with_caption: Whether captions are written.
        shard_size_bytes: When to begin another file.
    """

    def __init__(self, folder: Path, *, with_caption: bool, shard_size_bytes: int = SHARD_SIZE_BYTES) -> None:
        self._folder = folder
        self._with_caption = with_caption
        self._shard_size_bytes = shard_size_bytes
        self._open: dict[str, OutFile] = {}
        self._begun: dict[str, int] = {}
        self._files: list[ExportedFile] = []
        self._card: ExportedFile | None = None

    def add(self, copy: Copy) -> None:
        """Writes one picture with its facts and its caption."""
        shard = self._shard_for(copy.suffix)
        facts = copy.row.facts(with_caption=self._with_caption)
        members = {"json": json.dumps(facts, ensure_ascii=False).encode(errors="replace"), copy.suffix: copy.data}
        if self._with_caption:
            members["txt"] = copy.row.caption.encode(errors="replace")
        for suffix in sorted(members):
            _add_member(shard, f"{copy.stem}.{suffix}", members[suffix])
        if shard.tell() > self._shard_size_bytes:
            self._finish(copy.suffix)

    def close(self) -> tuple[ExportedFile, ...]:
        """Finishes the files that are still open: all of them, also where the disk is full for one."""
        with ExitStack() as stack:
            for suffix in sorted(self._open):
                stack.callback(self._finish, suffix)
        if self._card is None:
            self._card = write_file(self._folder, CARD, _card_of(self._begun).encode())
            self._files.append(self._card)
        return tuple(sorted(self._files, key=lambda file: file.path))

    def _shard_for(self, suffix: str) -> OutFile:
        if suffix not in self._open:
            number = self._begun.get(suffix, 0)
            self._open[suffix] = OutFile(self._folder, f"{suffix}-{number:06d}.tar")
            self._begun[suffix] = number + 1
        return self._open[suffix]

    def _finish(self, suffix: str) -> None:
        shard = self._open.pop(suffix)
        try:
            end = 2 * _BLOCK
            shard.write(bytes(end + -(shard.tell() + end) % tarfile.RECORDSIZE))
        finally:
            shard.close()
        self._files.append(shard.facts())


def _card_of(suffixes: Iterable[str]) -> str:
    """Says which tar files belong together."""
    lines = [f'- config_name: {each}\n  data_files: "{each}-*.tar"\n' for each in sorted(suffixes)]
    return f"---\nconfigs:\n{''.join(lines)}---\n\nPictures made by AI. `{MANIFEST}` says where they come from.\n"


def _add_member(shard: OutFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), _MODE
    shard.write(member.tobuf(tarfile.USTAR_FORMAT))
    shard.write(data)
    shard.write(bytes(-len(data) % _BLOCK))
