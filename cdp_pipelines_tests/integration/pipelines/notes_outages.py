"""What the tests of outages share: notes with something to give away, and the look at what was given away."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cdp_pipelines_tests.integration.pipelines.notes_harness import Notes

SECRET = "hunter2-of-the-crm"
TOKEN = "token-of-a-file"
EMAIL = "live@example.com"
PRIVATE = "Budi prefers to be called in the evening"
PAGE = {"page_rows": 10}
_EVERY_FIFTH_HAS_A_FILE = 5


@contextmanager
def nothing_leaking(notes: Notes, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever goes away, no run and no log line repeats a secret, the query of an address, or personal data."""
    caplog.set_level(logging.INFO)
    yield
    form = logging.Formatter()
    told = [form.format(record) for record in caplog.get_records("call")]
    told += [str(entry) for run in notes.instance.get_runs() for entry in notes.instance.all_logs(run.run_id)]
    told += [str(job) for job in notes.db["crm_notes_migration_jobs"].find({})]
    told += [str(request) for request in notes.db["migration_requests"].find({})]
    text = "\n".join(told)
    assert notes.company in text
    for private in (SECRET, TOKEN, EMAIL, PRIVATE):
        assert private not in text


def filled(m: Notes, rows: int, files_from: str = "") -> Notes:
    """Notes by one user whom the launchpad knows; every fifth with a file where there is a server of files."""
    m.crm.user(m.cid, 7, EMAIL, "Live User")
    for _ in range(rows):
        number = m.note(creator_id=7, note=f"<p>{PRIVATE}</p>")
        if files_from and number % _EVERY_FIFTH_HAS_A_FILE == 0:
            url = f"{files_from}/{number}.png?signature={TOKEN}"
            m.file(number, url, file_name=f"{number}.png", content_type="image/png")
    return m
