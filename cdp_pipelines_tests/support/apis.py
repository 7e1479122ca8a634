"""What the local HTTP APIs were asked since a test began."""

from pathlib import Path

from cdp_pipelines.local.api_records import (
    ALERTS,
    EXPORT_HISTORY,
    NOTIFICATIONS,
    ApiControl,
    ApiFailure,
    ApiRequest,
    read_requests,
)


class RecordedApis:
    """The requests after this object was made. `control` makes the APIs fail."""

    def __init__(self, records: Path, root_url: str) -> None:
        self.root_url = root_url
        self.control = ApiControl(root_url)
        self._records = records
        self._before = len(read_requests(records))

    def requests(self, path: str | None = None) -> list[ApiRequest]:
        """In the order they came; with `path` only those to it."""
        return read_requests(self._records, skip=self._before, path=path)

    def notifications(self) -> list[ApiRequest]:
        """In-app notifications."""
        return self.requests(NOTIFICATIONS)

    def export_history(self) -> list[ApiRequest]:
        """Rows for the shared export history."""
        return self.requests(EXPORT_HISTORY)

    def alerts(self) -> list[ApiRequest]:
        """Alerts."""
        return self.requests(ALERTS)

    def fail(self, path: str, *, status: int | None = None, delay_seconds: float = 0, times: int | None = None) -> None:
        """See `ApiFailure`."""
        self.control.fail(ApiFailure(path=path, status=status, delay_seconds=delay_seconds, times=times))
