"""Notes in a picture's checks what its content credentials say on the day it comes in, where they can be read."""

from blocks.errors import ArchiveError, SetupError
from tasks.measured import Checks
from tasks.provenance.reading import read_credentials

UNREADABLE = "unreadable"


def with_credentials(checks: Checks, data: bytes) -> Checks:
    """Adds who signed the manifest of a picture that has one, and whether it held. CPU work of milliseconds.

    Nothing in a manifest, which strangers write, keeps a paid picture out of the archive.

    Args:
        checks: What the gate found; without a manifest they stay as they are, as where c2pa-python is not installed.
        data: The bytes as they came.
    """
    if checks.content_credentials != "present":
        return checks
    try:
        read = read_credentials(data)
    except SetupError:  # the library is an extra: that there is a manifest is recorded all the same
        return checks
    except (ArchiveError, ValueError):  # ValueError: the library's report is none that we know
        return checks.model_copy(update={"credentials_state": UNREADABLE})
    return checks.model_copy(update={"credentials_issuer": read.issuer, "credentials_state": read.state})
