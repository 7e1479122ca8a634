"""This machine and this process: temporary files, free space, limits."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cdp_pipelines.cli.doctor.findings import Finding, Findings
from cdp_pipelines.cli.output import size_text
from cdp_pipelines.domain.errors import ConfigurationError

_BROKEN_BYTES: Final = 100_000_000
_NOTE_BYTES: Final = 1_000_000_000
"""Eight exports at once, each with its file and the writer's own temporary file."""


def check_temporary_files(findings: Findings) -> Iterator[Finding]:
    """Where exports are rendered: can it be written, and is there room?"""
    folder = Path(os.environ.get("CDP_TEMP_DIR") or tempfile.gettempdir())
    advice = "Name another folder in CDP_TEMP_DIR."
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"cdp doctor")
        free = shutil.disk_usage(folder).free
    except OSError as exc:
        yield findings.broken("folder", f"{folder} cannot be written ({exc.strerror})", advice)
        return
    yield findings.ok("folder", f"{folder} can be written")
    if free < _BROKEN_BYTES:
        yield findings.broken("free space", size_text(free), advice)
    elif free < _NOTE_BYTES:
        yield findings.note("free space", size_text(free), advice)
    else:
        yield findings.ok("free space", size_text(free))


def check_limits(findings: Findings) -> Iterator[Finding]:
    """Every number that is set, against its bounds; then the knobs of exports, as they are in force."""
    from cdp_pipelines.resources.export_limits import ExportLimitsResource
    from cdp_pipelines.resources.number_settings import NUMBERS, number_setting

    wrong = False
    for name in NUMBERS:
        try:
            number_setting(name)
        except ConfigurationError as exc:
            wrong = True
            yield findings.broken(exc.code, exc.message)
    if wrong:
        return
    yield findings.ok("numbers", f"{len(NUMBERS)} settings are within their bounds")
    limits = ExportLimitsResource()
    yield findings.ok("rate", f"{limits.rate_limit()} exports a company in {limits.rate_window_seconds():,} s")
    yield findings.ok("attachments", f"up to {size_text(limits.attachment_bytes())}, larger files are linked only")
