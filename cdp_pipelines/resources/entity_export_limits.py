"""The knobs of entity exports: rows a page, size of a part, life of links and files."""

import dagster as dg
from pydantic import Field

from cdp_pipelines.domain.errors import ConfigurationError
from cdp_pipelines.resources.number_settings import is_set, whole_number_setting


class EntityExportLimitsResource(dg.ConfigurableResource[None]):
    """Limits of entity exports; what is left empty comes from the environment, and else is SPEC's default."""

    page_rows: int | None = Field(
        default=None, description="Rows read and written at once; empty: CDP_EXPORT_PAGE_ROWS, else 1,000."
    )
    url_seconds: int | None = Field(
        default=None, description="How long a link works, in seconds; empty: CDP_EXPORT_URL_TTL, else 3,600."
    )
    part_bytes: int | None = Field(
        default=None,
        description="A file that reaches this size in bytes goes on in a further one; empty: CDP_EXPORT_PART_BYTES, "
        "else 1,000,000,000.",
    )
    kept_seconds: int | None = Field(
        default=None, description="How long files are kept, in seconds; empty: CDP_EXPORT_FILE_TTL, else 172,800."
    )

    def check(self) -> None:
        """Read them all, before work begins that one of them would undo at its end.

        Raises:
            ConfigurationError: `SETTING_INVALID`.
        """
        self.rows_a_page(), self.bytes_a_part(), self.link_seconds()

    def rows_a_page(self) -> int:
        """Rows read and written at once."""
        return whole_number_setting("CDP_EXPORT_PAGE_ROWS", self.page_rows)

    def link_seconds(self) -> int:
        """How long a link works, in seconds.

        Raises:
            ConfigurationError: `SETTING_INVALID`, also if it was set to more than files are kept.
        """
        seconds, kept = whole_number_setting("CDP_EXPORT_URL_TTL", self.url_seconds), self.file_seconds()
        if seconds > kept and is_set("CDP_EXPORT_URL_TTL", self.url_seconds):
            raise ConfigurationError(
                "SETTING_INVALID",
                f"CDP_EXPORT_URL_TTL is more than CDP_EXPORT_FILE_TTL ({kept:,} seconds): links would outlive their "
                "files. Lower the one, or raise the other (see docs/settings.md).",
            )
        return seconds

    def bytes_a_part(self) -> int:
        """The size in bytes at which a file goes on in a further one."""
        return whole_number_setting("CDP_EXPORT_PART_BYTES", self.part_bytes)

    def file_seconds(self) -> int:
        """How long files are kept, in seconds."""
        return whole_number_setting("CDP_EXPORT_FILE_TTL", self.kept_seconds)
