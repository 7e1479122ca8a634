"""The notes migration from the CRM's HTTP API: the same documents as from its database."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from cdp_pipelines.local.crm_api import CrmDesk, CrmHandler
from cdp_pipelines.resources.crm_notes import CrmNotesResource
from cdp_pipelines_tests.integration.pipelines.migration_harness import BEFORE
from cdp_pipelines_tests.integration.pipelines.notes_harness import PNG, Notes, files
from cdp_pipelines_tests.integration.resources.http_servers import Answer, Asked, recording_server

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


@pytest.mark.any_mongo
def test_what_the_api_writes_another_way_arrives_and_what_nobody_understands_is_a_failure(notes: Notes) -> None:
    m = notes
    common: dict[str, Any] = {
        "crm_note_type_id": 1.0, "crm_person_id": "1.0", "note": "<p>x</p>", "created_at": "2020-05-01T10:00:00Z",
    }  # fmt: skip
    picture = {"id": 1.0, "file_name": "a.png", "content_type": "image/png"}
    made: list[dict[str, Any]] = []

    def answer(asked: Asked) -> Answer:
        if asked.path.startswith("/a.png"):
            return 200, {"Content-Type": "image/png"}, PNG
        query = parse_qs(urlsplit(asked.path).query)
        page, size = int(query["page"][0]), int(query["per_page"][0])
        data = made[(page - 1) * size : page * size]
        pagination = {"page": page, "per_page": size, "total": float(len(made))}
        return 200, {}, json.dumps({"data": data, "pagination": pagination}).encode()

    with recording_server(answer) as server:
        url = f"{server.url}/a.png"
        odd: list[dict[str, Any]] = [
            {"images": [{**picture, "url": url}]},
            {"attachments": [{**picture, "url": url}], "audios": None},
            {"crm_person_id": True},
            {"crm_note_type_id": float("nan")},
            {"note": {"html": "x"}},
            {"deleted_at": "false"},
            {"pictures": [{**picture, "url": url}]},
            {"crm_note_type_id": 3.0},
        ]
        # So many that the few are no reason to halt.
        odd += [{}] * 600
        made += [{**common, "id": number, **more} for number, more in enumerate(odd, start=1)]
        api = CrmNotesResource(source="http", root_url=server.url, authorization=TOKEN, retry_waits=[0.0, 0.0, 0.0])
        assert m.run(resource=m.served_by(server, api=api)).success
    job = m.job()
    assert [len(document["attachments"]) for document in m.notes()] == [1, 1, *[0] * 600]
    assert {int(row["id"]): (row["reason_code"], row["details"]) for row in job["failed_rows"]} == {
        3: ("NOTE_UNREADABLE", "its crm_person_id is not an id"),
        4: ("NOTE_UNREADABLE", "its crm_note_type_id is not an id"),
        5: ("NOTE_UNREADABLE", "its text is no text"),
        6: ("NOTE_UNREADABLE", "its deleted_at is not an instant"),
        7: ("NOTE_UNREADABLE", "it has files under pictures, which is not known"),
    }
    assert (job["notes_processed"], job["failure_count"], job["out_of_scope_count"]) == (608, 5, 1)
