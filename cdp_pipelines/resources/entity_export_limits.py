"""The knobs of entity exports: rows a page, size of a part, life of links and files."""

import dagster as dg
from pydantic import Field

from cdp_pipelines.resources.environment import whole_number_setting

DEFAULT_PAGE_ROWS = 1_000
DEFAULT_URL_SECONDS = 3_600
DEFAULT_PART_BYTES = 1_000_000_000
DEFAULT_KEPT_SECONDS = 172_800


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

    def rows_a_page(self) -> int:
        """Rows read and written at once."""
        return whole_number_setting("CDP_EXPORT_PAGE_ROWS", self.page_rows, default=DEFAULT_PAGE_ROWS, least=1)

    def link_seconds(self) -> int:
        """How long a link works, in seconds."""
        return whole_number_setting("CDP_EXPORT_URL_TTL", self.url_seconds, default=DEFAULT_URL_SECONDS, least=1)

    def bytes_a_part(self) -> int:
        """The size in bytes at which a file goes on in a further one."""
        return whole_number_setting("CDP_EXPORT_PART_BYTES", self.part_bytes, default=DEFAULT_PART_BYTES, least=1)

    def file_seconds(self) -> int:
        """How long files are kept, in seconds."""
        return whole_number_setting("CDP_EXPORT_FILE_TTL", self.kept_seconds, default=DEFAULT_KEPT_SECONDS, least=60)
