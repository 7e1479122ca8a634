"""How a fetch can fail. Texts name the host at most, never path or query: those may hold secrets or personal data."""

from cdp_pipelines.domain.errors import PermanentFailure, TransientFailure
from cdp_pipelines.domain.web_address import AddressInvalid, FetchBlocked

__all__ = ["AddressInvalid", "FetchBlocked", "FetchFailed", "FetchTooLarge"]


class FetchTooLarge(PermanentFailure):
    """The file is larger than the policy takes."""

    def __init__(self, message: str) -> None:
        super().__init__("FETCH_TOO_LARGE", message)


class FetchFailed(TransientFailure):
    """Not reached, too slow, cut off, or answered with a failure. `worth_retrying`: another try soon may do better.

    `after_seconds` is how long the server asked us to stay away, 0 if it did not.
    """

    def __init__(
        self,
        message: str,
        *,
        http_status: int | None = None,
        worth_retrying: bool = False,
        after_seconds: float = 0.0,
    ) -> None:
        super().__init__("FETCH_FAILED", message, details={"http_status": http_status} if http_status else None)
        self.worth_retrying = worth_retrying
        self.after_seconds = after_seconds
