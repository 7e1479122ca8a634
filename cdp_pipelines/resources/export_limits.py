"""The knobs of contact exports: how many an hour, how large an attachment."""

import dagster as dg
from pydantic import Field

from cdp_pipelines.resources.number_settings import whole_number_setting


class ExportLimitsResource(dg.ConfigurableResource[None]):
    """Limits of contact exports; what is left empty comes from the environment, and else is SPEC's default."""

    max_per_window: int | None = Field(
        default=None, description="Exports a company may start in a window; empty: CDP_EXPORT_RATE_LIMIT, else 5."
    )
    window_seconds: int | None = Field(
        default=None, description="The window in seconds; empty: CDP_EXPORT_RATE_WINDOW_SECONDS, else 3600."
    )
    attachment_limit_bytes: int | None = Field(
        default=None,
        description="Larger files are linked, not attached, in bytes; empty: CDP_EMAIL_ATTACHMENT_LIMIT, else 10 MB.",
    )

    def check(self) -> None:
        """Read them all, before work begins that one of them would undo at its end.

        Raises:
            ConfigurationError: `SETTING_INVALID`.
        """
        self.rate_limit(), self.rate_window_seconds(), self.attachment_bytes()

    def rate_limit(self) -> int:
        """Exports a company may start in one window."""
        return whole_number_setting("CDP_EXPORT_RATE_LIMIT", self.max_per_window)

    def rate_window_seconds(self) -> int:
        """Length of the rolling window in seconds."""
        return whole_number_setting("CDP_EXPORT_RATE_WINDOW_SECONDS", self.window_seconds)

    def attachment_bytes(self) -> int:
        """Size in bytes up to which a file is attached."""
        return whole_number_setting("CDP_EMAIL_ATTACHMENT_LIMIT", self.attachment_limit_bytes)
