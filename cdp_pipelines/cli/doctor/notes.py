"""What the notes migration needs besides the CRM's database: where notes are read, where their files may come from."""

import os
from collections.abc import Iterator

from cdp_pipelines.cli.doctor.findings import Finding, Findings
from cdp_pipelines.cli.doctor.neighbours import api_finding

_FILES: str = "notes with files cannot be migrated"


def check_notes(findings: Findings) -> Iterator[Finding]:
    """The source, the hosts of files, the address under which the CDP serves them."""
    from cdp_pipelines.pipelines.contact_notes.config import note_types
    from cdp_pipelines.resources.crm_notes import ROOT_URL_SETTING, CrmNotesResource
    from cdp_pipelines.resources.crm_postgres import CrmPostgresResource

    resource = CrmNotesResource()
    source = resource.chosen_source()
    if source == "http":
        resource.open(0, database=CrmPostgresResource()).close()
        yield api_finding(findings, ROOT_URL_SETTING, "no notes can be read")
    else:
        yield findings.ok("source", "the CRM's database")
    types = ", ".join(str(number) for number in sorted(note_types()))
    yield findings.ok("types", f"{types}; others are out of scope")
    yield _hosts(findings)
    yield _files(findings)


def _hosts(findings: Findings) -> Finding:
    from cdp_pipelines.resources.attachment_fetcher import (
        HOSTS_SETTING,
        TRUSTED_SETTING,
        read_allowed_hosts,
        read_trusted_hosts,
    )

    allowed = read_allowed_hosts(os.environ.get(HOSTS_SETTING, ""))
    trusted = read_trusted_hosts(os.environ.get(TRUSTED_SETTING, ""))
    if not allowed and not trusted:
        return findings.note("files from", f"off: {_FILES}", f"Set {HOSTS_SETTING} to the hosts of the CRM's files.")
    named = [*allowed, *(f"{host}:{port} (may be private)" for host, port in sorted(trusted))]
    return findings.ok("files from", ", ".join(named))


def _files(findings: Findings) -> Finding:
    from cdp_pipelines.pipelines.migrations.services import FILES_SETTING, read_files_root_url

    if not os.environ.get(FILES_SETTING):
        advice = f"Set {FILES_SETTING} to the address under which the CDP serves what is in the bucket."
        return findings.note("files at", f"off: {_FILES}", advice)
    return findings.ok("files at", read_files_root_url())
