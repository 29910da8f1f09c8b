"""The one place where c2pa-python is imported, and the settings that every use of it has.

It is optional (extra `c2pa`): archives, XMP and exports work without it.
"""

import importlib
from typing import Any

from blocks.errors import SetupError

_SIGNING_PURPOSES = {
    "emailProtection": "1.3.6.1.5.5.7.3.4",
    "documentSigning": "1.3.6.1.5.5.7.3.36",
    "timeStamping": "1.3.6.1.5.5.7.3.8",
    "ocspSigning": "1.3.6.1.5.5.7.3.9",
    "c2paClaimSigning": "1.3.6.1.4.1.62558.2.1",
}
"""Extended key usages of certificates that may sign; the library knows only the first by itself (seen in 0.38.1)."""


def c2pa() -> Any:
    """The library, as a module.

    Raises:
        SetupError: It is not installed.
    """
    try:
        return importlib.import_module("c2pa")
    except ModuleNotFoundError as error:
        raise SetupError(
            "Content credentials need the package c2pa-python: install it with `pip install c2pa-python`, or the "
            "project with its extra `c2pa`. XMP marks (`--provenance xmp`) need nothing."
        ) from error


def settings(trust_anchors: str | None = None) -> dict[str, Any]:
    """The library's settings, the same for signing and reading.

    It fetches nothing: a file that names an address must not make us call it. Thumbnails would add 139 kB to each
    picture, and 55 to 190 ms.

    Args:
        trust_anchors: Root certificates, as PEM, whose signatures count as trusted; those below them do too.
    """
    trust: dict[str, Any] = {"trust_config": "\n".join(_SIGNING_PURPOSES.values())}
    if trust_anchors is not None:
        trust["user_anchors"] = trust_anchors
    return {
        "trust": trust,
        "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_after_sign": True},
        "builder": {"thumbnail": {"enabled": False}},
    }
