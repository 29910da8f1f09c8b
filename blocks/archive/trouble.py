"""Reads what went wrong with an object store out of an error of obstore, and says what to do about it."""

import re
from typing import NamedTuple, Self

from obstore.exceptions import AlreadyExistsError, InvalidPathError, PermissionDeniedError, UnauthenticatedError

from blocks.archive.bucket import Bucket

SERVER_ERROR = 500

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,64})</Code>")
_NO_KEYS = re.compile(r"169\.254\.|metadata\.google|metadata\.azure|/oauth2/")
_LATER = {425, 429}
"""Too early, too many: nothing was written."""
_RIVALS = {"ConditionalRequestConflict", "OperationAborted"}
"""Another writer was at the same key (S3's documentation of conditional writes): to be sent again."""
_ELSEWHERE = {"PermanentRedirect", "AuthorizationHeaderMalformed"}


class Trouble(NamedTuple):
    """What an error of the library says between its words."""

    error: Exception
    status: int | None
    code: str

    @classmethod
    def of(cls, error: Exception) -> Self:
        """Reads an error of obstore."""
        status, code = _STATUS.search(str(error)), _CODE.search(str(error))
        return cls(error, int(status[1]) if status else None, code[1] if code else "")

    def shown(self, bucket: Bucket) -> str:
        """What the store said, and what to do; never its own words, which may hold keys and signatures."""
        said = f"The store said {self.status} {self.code}".rstrip() + ". " if self.status else ""
        return f"{said}{self._advice(bucket)}"

    @property
    def is_taken(self) -> bool:
        """The key is there. The library says so of every 409, but S3's own 409 says that two writers met."""
        return isinstance(self.error, AlreadyExistsError) and self.code not in _RIVALS

    @property
    def leaves_open(self) -> bool:
        """The store may have done it, and its answer was lost."""
        return self.status is None or self.status >= SERVER_ERROR

    @property
    def may_pass(self) -> bool:
        """The same may succeed later."""
        if self.is_without_keys or self.is_elsewhere:
            return False
        return self.leaves_open or self.status in _LATER or self.code in _RIVALS

    @property
    def is_without_keys(self) -> bool:
        """The library asked the cloud's own machines for keys, because it was given none."""
        return _NO_KEYS.search(str(self.error)) is not None

    @property
    def is_elsewhere(self) -> bool:
        """The bucket is in another region than the request was signed for."""
        return "Received redirect" in str(self.error) or self.code in _ELSEWHERE

    def _advice(self, bucket: Bucket) -> str:
        if isinstance(self.error, InvalidPathError):  # the library then lists nothing at all
            return (
                "Something there has a name that no archive gives, with '//' or '..' in it: look with the store's own "
                "tools who put it there, and move it away."
            )
        if self.is_without_keys:
            return f"No keys were found: name a credentials block in the archive block, or set {bucket.where_keys_are}."
        if isinstance(self.error, PermissionDeniedError | UnauthenticatedError):
            return "The keys must be allowed to read, write, list and delete there, and the bucket must exist."
        if self.code == "NoSuchBucket" or isinstance(self.error, FileNotFoundError):
            return "There is no such bucket: make it first, or look whether its name is right."
        if self.is_elsewhere:
            return "The bucket is in another region: set the region in the credentials block, or AWS_REGION."
        return "Look whether the store can be reached, then run again: what was acknowledged before is safe."
