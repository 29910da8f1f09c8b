"""Content credentials (C2PA) put into a copy, signed with a key of the user's."""

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from blocks.errors import ArchiveError, SetupError
from blocks.signing.key import SigningKey
from blocks.signing.timestamps import TimestampRelay, open_relay
from tasks.models import ImageRecord
from tasks.provenance.library import c2pa, settings
from tasks.provenance.manifest import Ingredient, definition_of, ingredients_of
from tasks.provenance.source_type import SourceType, uri_of
from tasks.provenance.splice import manifest_in, media_type_of, packet_of
from tasks.provenance.xmp import instance_id_in
from tasks.shown import one_line

MAX_REASON_CHARS = 200

_WITHOUT_TIME_STAMPS = (
    "Try again later, or name another authority in the Signing Certificate block; without one, signatures stay valid "
    "for no longer than the certificate."
)

_SMALLEST_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c6360000000"
    "02000148afa4710000000049454e44ae426082"
)


@contextmanager
def open_signer(key: SigningKey) -> Iterator["Signer"]:
    """Opens a signer for `with`, and tries it out; one serves any number of threads.

    Raises:
        SetupError: The library is not installed; the certificate has expired or is meant for something else; key,
            certificates and algorithm do not fit each other; or its time-stamp authority does not answer in time.
    """
    library = c2pa()
    with ExitStack() as stack:
        relay = None if key.timestamp_url is None else stack.enter_context(open_relay(key.timestamp_url))
        context = stack.enter_context(_context(library, key, relay))
        yield Signer(library, context, relay)


def _context(library: Any, key: SigningKey, relay: TimestampRelay | None) -> Any:
    try:
        info = library.C2paSignerInfo(
            key.algorithm.encode(),
            key.certificate_chain.encode(),
            key.private_key.get_secret_value().encode(),
            None if relay is None else relay.address.encode(),
        )
        context = library.Context.from_dict(settings(), signer=library.Signer.from_info(info))
        _try_out(library, context)
    except library.C2paError as error:
        if relay is not None and relay.failure:
            raise SetupError(f"{relay.failure} {_WITHOUT_TIME_STAMPS}") from None
        reason = one_line(str(error).partition("-----BEGIN")[0], MAX_REASON_CHARS)  # never to quote a key
        raise SetupError(
            "The signing certificate cannot be used: it must be valid today, be meant for signing, and its key, its "
            f"chain (signing certificate first) and its algorithm {key.algorithm} must fit each other. The library "
            f"says: {reason}"
        ) from None
    return context


def _try_out(library: Any, context: Any) -> None:
    """Signs the smallest of pictures: what does not fit shows here, and not in the middle of an export."""
    created = {"action": "c2pa.created", "digitalSourceType": uri_of("trainedAlgorithmicMedia")}
    trial = {"assertions": [{"label": "c2pa.actions.v2", "created": True, "data": {"actions": [created]}}]}
    with library.Builder(json.dumps(trial), context=context) as builder:
        builder.sign("image/png", io.BytesIO(_SMALLEST_PNG), io.BytesIO())


class Signer:
    """An open signer. Signing takes some milliseconds of CPU, and a time stamp waits for a server: use a thread."""

    def __init__(self, library: Any, context: Any, relay: TimestampRelay | None = None) -> None:
        self._library = library
        self._context = context
        self._relay = relay

    def sign(
        self,
        copy: bytes,
        received: bytes,
        record: ImageRecord,
        source_type: SourceType,
        inputs: Mapping[str, bytes],
    ) -> bytes:
        """Signs a copy. It must be the last change: whatever is written into the file later breaks the signature.

        Args:
            copy: What is signed: the received bytes, with XMP in them.
            received: The bytes as they came, for the manifest that they may hold.
            record: The picture.
            source_type: What it is as a whole.
            inputs: Pictures that went into it, by the SHA-256 of their received bytes: those bytes, or a signed copy,
                whose own manifest then becomes part of this one. What is missing is named without its manifest.

        Raises:
            ArchiveError: A picture is damaged or in no format of ours, or the library cannot sign it; or the time-stamp
                authority does not answer in time.
        """
        came_signed = bool(manifest_in(received))
        ingredients = ingredients_of(record, came_signed=came_signed)
        definition = definition_of(
            record,
            ingredients,
            source_type,
            came_signed=came_signed,
            instance_id=instance_id_in(packet_of(copy) or b""),
        )
        sources = {**inputs, record.sha256: received}
        try:
            return self._signed(copy, definition, ingredients, sources)
        except self._library.C2paError as error:
            if self._relay is not None and self._relay.failure:
                raise ArchiveError(f"{self._relay.failure} {_WITHOUT_TIME_STAMPS}") from error
            raise ArchiveError(
                f"The copy of {record.sha256[:16]} could not be signed: {one_line(str(error), MAX_REASON_CHARS)}. "
                "Look whether it or a picture that it was made from is damaged; `--provenance xmp` needs no signature."
            ) from error

    def _signed(
        self,
        copy: bytes,
        definition: dict[str, Any],
        ingredients: tuple[Ingredient, ...],
        sources: Mapping[str, bytes],
    ) -> bytes:
        known = [each for each in ingredients if each.sha256 in sources]
        unknown = [each for each in ingredients if each.sha256 not in sources]
        definition["ingredients"] = [each.definition("application/octet-stream") for each in unknown]
        with self._library.Builder(json.dumps(definition), context=self._context) as builder, io.BytesIO() as signed:
            for each in known:
                data = sources[each.sha256]
                media_type = media_type_of(data)
                builder.add_ingredient(json.dumps(each.definition(media_type)), media_type, io.BytesIO(data))
            builder.sign(media_type_of(copy), io.BytesIO(copy), signed)
            return signed.getvalue()
