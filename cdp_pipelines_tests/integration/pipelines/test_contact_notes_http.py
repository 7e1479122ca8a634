"""The notes migration from the CRM's HTTP API: the same documents as from its database."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from cdp_pipelines.local.crm_api import CrmDesk, CrmHandler
from cdp_pipelines.resources.crm_notes import CrmNotesResource
from cdp_pipelines_tests.integration.pipelines.migration_harness import BEFORE
from cdp_pipelines_tests.integration.pipelines.notes_harness import PNG, Notes, files
from cdp_pipelines_tests.integration.resources.http_servers import recording_server

TOKEN = "Bearer of-the-crm"


@contextmanager
def crm_api(m: Notes, records: Path) -> Iterator[CrmNotesResource]:
    """The local CRM's API over the test's own CRM database, and the resource that reads it."""
    desk = CrmDesk(records, authorization=TOKEN, dsn=m.crm.dsn)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (CrmHandler,), {"desk": desk}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        yield CrmNotesResource(source="http", root_url=url, authorization=TOKEN, retry_waits=[0.0, 0.0, 0.0])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.any_mongo
def test_both_sources_give_the_same_documents(notes: Notes, tmp_path: Path) -> None:
    m = notes
    m.crm.user(m.cid, 7, "live@example.com", "Live User")
    m.fill(400)
    m.note(creator_id=7, note='<p onclick="x()">Hi <a data-user-id="3">@Bob</a></p>', crm_note_type_id=6, ticket_id=4)
    m.note(deleted_at=BEFORE)
    m.note(crm_note_type_id=3)
    m.note(crm_person_id=None, crm_deal_id=3)
    m.checkin(m.note(updated_at=None))
    m.note(created_at="infinity")
    with recording_server(files({"/a.png": ("image/png", PNG)})) as server, crm_api(m, tmp_path / "asked") as api:
        for _ in range(2):
            m.file(5, f"{server.url}/a.png", file_name="Foto.png", content_type="image/png", file_size=len(PNG))
        assert m.run(resource=m.served_by(server), config={"shards": 2}).success
        from_database, first = m.notes(), m.job()
        assert m.rollback().success
        resource = m.served_by(server, api=api)
        assert m.run(resource=resource, config={"shards": 2, "page_rows": 150}).success
        from_api, second = m.notes(), m.job()
        assert m.run(resource=resource, config={"force": True}).success
    assert from_api == from_database
    assert len(from_api) == 402
    for job in (first, second):
        assert (job["status"], job["match_pct"], job["failure_count"]) == ("completed_success", 99.75, 1)
    assert first["notes"] == second["notes"]
    # The API gives notes of persons only.
    assert (first["out_of_scope_count"], second["out_of_scope_count"]) == (2, 1)
    assert (first["notes_total"], second["notes_total"]) == (406, 405)
    assert (m.job()["notes_migrated"], m.job()["notes_skipped"]) == (0, 403)
