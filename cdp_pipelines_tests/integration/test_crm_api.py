"""The demo CRM's server: pages of notes as the contract says, files good and bad, and failing on request."""

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from openpyxl import load_workbook

from cdp_pipelines.local import crm_files
from cdp_pipelines.local.api_records import ApiFailure
from cdp_pipelines.local.crm_api import notes_path
from cdp_pipelines.local.crm_schema import create_crm_schema, empty_organization
from cdp_pipelines.local.demo_crm import bulk_load_notes
from cdp_pipelines.local.own_servers import CrmApi
from cdp_pipelines.local.server import NotReady, Place
from cdp_pipelines.local.stack import LocalStack
from cdp_pipelines_tests.support.apis import RecordedApis

pytestmark = pytest.mark.integration

CID = 9_431
OTHER_CID = 9_432
PATH = notes_path(CID)
Crm = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def client(crm_api: RecordedApis, stack_env: dict[str, str]) -> Iterator[httpx.Client]:
    headers = {"Authorization": stack_env["CRM_API_AUTH"]}
    with httpx.Client(base_url=crm_api.root_url, headers=headers, timeout=10, trust_env=False) as made:
        yield made


@pytest.fixture
def crm(stack_env: dict[str, str]) -> Iterator[Crm]:
    """The stack's CRM, where the tests' organizations are emptied afterwards."""
    with psycopg.connect(stack_env["CRM_AUDIT_DATABASE_URL"], autocommit=True) as connection:
        create_crm_schema(connection)
        yield connection
    # Another one: a test may have stopped the server that the first was of.
    with psycopg.connect(stack_env["CRM_AUDIT_DATABASE_URL"], autocommit=True) as connection:
        for cid in (CID, OTHER_CID):
            empty_organization(connection, cid)


@pytest.fixture
def notes(crm: Crm, stack_env: dict[str, str]) -> int:
    """How many notes the organization has; another one has some as well."""
    first = datetime(2024, 1, 1, tzinfo=UTC)
    for cid, count in ((CID, 1_230), (OTHER_CID, 20)):
        people = [(cid * 1_000_000 + number, first + timedelta(days=number)) for number in range(50)]
        bulk_load_notes(
            stack_env["CRM_AUDIT_DATABASE_URL"], organization_id=cid, people=people, notes=count, seed=3,
            first_note_id=cid * 1_000_000, attachments_root_url=stack_env["CRM_API_ROOT_URL"], attachments=20,
        )  # fmt: skip
    return 1_230


class TestPages:
    def test_pages_are_the_notes_in_the_order_of_their_ids(self, client: httpx.Client, notes: int) -> None:
        ids, page = [], 1
        while True:
            body = client.get(PATH, params={"page": page, "per_page": 500}).json()
            assert body["pagination"] == {"page": page, "per_page": 500, "total": notes}
            if not body["data"]:
                break
            ids += [note["id"] for note in body["data"]]
            page += 1
        assert (page, ids) == (4, list(range(CID * 1_000_000, CID * 1_000_000 + notes)))

    def test_another_organization_has_its_own(self, client: httpx.Client, notes: int) -> None:
        body = client.get(notes_path(OTHER_CID)).json()
        assert [note["id"] // 1_000_000 for note in body["data"]] == [OTHER_CID] * 20
        nobody = client.get(notes_path(9_999_999)).json()
        assert nobody == {"data": [], "pagination": {"page": 1, "per_page": 500, "total": 0}}

    def test_a_note_with_everything(self, client: httpx.Client, crm: Crm) -> None:
        crm.execute(
            "INSERT INTO users VALUES (94310001, 'ann@a.example', 'Ann 安', '2024-02-03 04:05:06', %s),"
            " (94320001, 'eve@b.example', 'Eve', NULL, %s)",
            (CID, OTHER_CID),
        )
        crm.execute(
            "INSERT INTO crm_notes VALUES (94310001, %s, '<p>ok</p>', 94310001, 7, 8, 9, 10, 1,"
            " '2024-05-01 10:00:00.123456', '2024-05-02', '2024-05-03 23:59:59.9'),"
            " (94310002, %s, NULL, 94320001, 7, NULL, NULL, NULL, NULL, 'infinity', '-infinity', NULL),"
            " (94310003, %s, 'a deal''s', NULL, NULL, NULL, 9, NULL, 1, now(), now(), NULL)",
            (CID, CID, CID),
        )
        crm.execute(
            "INSERT INTO crm_note_images VALUES (94310001, 94310001, 'http://x/a.png', 'a.png', 'image/png', 12)"
        )
        crm.execute("INSERT INTO crm_note_audios VALUES (94310001, 94310001, 'http://x/a.ogg', NULL, NULL, NULL)")
        crm.execute(
            "INSERT INTO crm_note_attachments VALUES (94310002, 94310001, 'http://x/b', 'b', 'x/y', 2),"
            " (94310001, 94310001, 'http://x/a', 'a', 'x/y', 1)"
        )
        crm.execute(
            "INSERT INTO crm_checkins VALUES (94310001, 94310001, -6.2, 106.8, 'Jl. Tugu', '2024-05-01 10:00:00')"
        )
        full, bare = client.get(PATH).json()["data"]
        assert full == {
            "id": 94310001, "note": "<p>ok</p>", "creator_id": 94310001, "crm_person_id": 7, "crm_company_id": 8,
            "crm_deal_id": 9, "ticket_id": 10, "crm_note_type_id": 1, "created_at": "2024-05-01T10:00:00.123456Z",
            "updated_at": "2024-05-02T00:00:00.000000Z", "deleted_at": "2024-05-03T23:59:59.900000Z",
            "crm_note_images": [
                {"id": 94310001, "url": "http://x/a.png", "file_name": "a.png", "content_type": "image/png",
                 "file_size": 12}
            ],
            "crm_note_audios": [
                {"id": 94310001, "url": "http://x/a.ogg", "file_name": None, "content_type": None, "file_size": None}
            ],
            "crm_note_attachments": [
                {"id": 94310001, "url": "http://x/a", "file_name": "a", "content_type": "x/y", "file_size": 1},
                {"id": 94310002, "url": "http://x/b", "file_name": "b", "content_type": "x/y", "file_size": 2},
            ],
            "crm_checkin": {
                "id": 94310001, "latitude": -6.2, "longitude": 106.8, "address": "Jl. Tugu",
                "created_at": "2024-05-01T10:00:00.000000Z",
            },
            "creator": {
                "email": "ann@a.example", "full_name": "Ann 安", "deleted_at": "2024-02-03T04:05:06.000000Z"
            },
        }  # fmt: skip
        assert (bare["id"], bare["note"], bare["created_at"], bare["updated_at"]) == (94310002, None, None, None)
        # The user is of another organization.
        assert (bare["creator"], bare["crm_checkin"], bare["crm_note_images"]) == (None, None, [])

    def test_the_wrong_credentials_are_refused(self, client: httpx.Client, crm_api: RecordedApis, crm: Crm) -> None:
        for headers in ({"Authorization": ""}, {"Authorization": "Bearer wrong"}, {"authorization": "Bearer"}):
            assert client.get(PATH, headers=headers).status_code == 401
        assert client.get("/api/v1/nothing", headers={"Authorization": ""}).status_code == 401
        assert {request.status for request in crm_api.requests()} == {401}
        assert crm_api.requests()[0].headers["authorization"] == "(kept out)"

    @pytest.mark.parametrize(
        "query",
        ["page=0", "page=-1", "page=x", "page=1&page=2", "per_page=0", "per_page=1001", "per_page=٣", "page=1e3"],
    )
    def test_pages_that_cannot_be(self, client: httpx.Client, crm: Crm, query: str) -> None:
        assert client.get(f"{PATH}?{query}").status_code == 400

    def test_the_largest_page(self, client: httpx.Client, notes: int) -> None:
        assert len(client.get(PATH, params={"per_page": 1_000}).json()["data"]) == 1_000

    @pytest.mark.parametrize(
        ("method", "path"), [("POST", PATH), ("GET", "/api/v1/organizations/x/person_notes"), ("GET", "/")]
    )
    def test_other_routes_are_not_there(self, client: httpx.Client, method: str, path: str) -> None:
        assert client.request(method, path).status_code == 404

    def test_it_finds_the_database_again(self, client: httpx.Client, stack: LocalStack, notes: int) -> None:
        assert client.get(PATH).status_code == 200
        stack.stop_one("postgres")
        try:
            assert client.get(PATH).status_code == 503
        finally:
            stack.start_one("postgres")
        assert client.get(PATH).json()["pagination"]["total"] == notes
        stack.stop_one("postgres")
        stack.start_one("postgres")
        # Its connection is of the server that was stopped.
        assert client.get(PATH).status_code == 200


class TestFailures:
    def test_statuses_with_retry_after_and_dropped_connections(
        self, client: httpx.Client, crm_api: RecordedApis, crm: Crm
    ) -> None:
        crm_api.control.fail(ApiFailure(path=PATH, status=429, retry_after="2", times=1))
        crm_api.control.fail(ApiFailure(path=PATH, status=503, times=1))
        crm_api.control.fail(ApiFailure(path=PATH, drop=True, times=1))
        limited, broken = client.get(PATH), client.get(PATH)
        assert (limited.status_code, limited.headers["Retry-After"]) == (429, "2")
        assert (broken.status_code, broken.headers.get("Retry-After")) == (503, None)
        with pytest.raises(httpx.RemoteProtocolError):
            client.get(PATH)
        assert client.get(PATH, params={"page": 7}).status_code == 200
        assert [request.status for request in crm_api.requests(PATH)] == [429, 503, 0, 200]
        assert crm_api.requests(PATH)[-1].query == "page=7"

    def test_a_slow_answer_has_been_heard(self, client: httpx.Client, crm_api: RecordedApis, crm: Crm) -> None:
        crm_api.fail(PATH, delay_seconds=5, times=1)
        with pytest.raises(httpx.ReadTimeout):
            client.get(PATH, timeout=0.3)
        assert len(crm_api.requests(PATH)) == 1
        crm_api.fail(PATH, status=500)
        assert client.get(PATH).status_code == 500
        crm_api.control.clear()
        assert client.get(PATH).status_code == 200

    def test_files_fail_too(self, client: httpx.Client, crm_api: RecordedApis) -> None:
        crm_api.fail("/files/a.png", status=503, times=1)
        assert [client.get("/files/a.png").status_code for _ in range(2)] == [503, 200]


class TestFiles:
    def test_files_ask_no_credentials_and_come_on_one_connection(self, crm_api: RecordedApis) -> None:
        with httpx.Client(base_url=crm_api.root_url, timeout=10, trust_env=False) as client:
            with client.stream("GET", "/files/7/a.xlsx") as answer:
                connection = answer.extensions["network_stream"].get_extra_info("client_addr")
                content = answer.read()
            assert answer.headers["Content-Length"] == str(len(content))
            assert answer.headers["Content-Type"].endswith("spreadsheetml.sheet")
            assert load_workbook(io.BytesIO(content)).sheetnames == ["Pesanan"]
            with client.stream("GET", "/files/7/a.png") as answer:
                assert answer.extensions["network_stream"].get_extra_info("client_addr") == connection
                assert answer.read().startswith(b"\x89PNG\r\n\x1a\n")

    def test_the_files_of_notes_are_there(self, client: httpx.Client, notes: int) -> None:
        data = client.get(PATH, params={"per_page": 1_000}).json()["data"]
        kinds = ("crm_note_images", "crm_note_audios", "crm_note_attachments")
        files = [file for note in data for kind in kinds for file in note[kind]]
        assert len(files) > 10
        for file in files:
            answer = client.get(file["url"])
            found = (answer.status_code, answer.headers["Content-Type"], len(answer.content))
            assert found == (200, file["content_type"], file["file_size"])

    def test_bad_ones(self, client: httpx.Client) -> None:
        assert client.get(f"{crm_files.MISSING}a.png").status_code == 404
        page = client.get(f"{crm_files.HTML}a.png")
        assert (page.headers["Content-Type"], page.content[:9]) == ("image/png", b"<!DOCTYPE")
        moved = client.get(f"{crm_files.MOVED_PRIVATE}a.png")
        assert (moved.status_code, moved.headers["Location"]) == (302, crm_files.METADATA_URL)
        here = client.get(f"{crm_files.MOVED_HERE}a.png", follow_redirects=True)
        assert (here.status_code, here.content) == (200, client.get("/files/a.png").content)

    def test_large_ones(self, client: httpx.Client) -> None:
        with client.stream("GET", f"{crm_files.LARGE}a.mp4") as answer:
            assert int(answer.headers["Content-Length"]) == crm_files.LARGE_BYTES
            assert sum(map(len, answer.iter_raw())) == crm_files.LARGE_BYTES
        with client.stream("GET", f"{crm_files.ENDLESS}a.mp4") as answer:
            assert "Content-Length" not in answer.headers
            assert len(next(answer.iter_raw())) > 100
        # The client left in the middle of it, and the server goes on.
        assert client.get("/files/a.png").status_code == 200
        with client.stream("GET", f"{crm_files.ENDLESS}a.mp4") as answer:
            assert sum(map(len, answer.iter_raw())) == crm_files.ENDLESS_BYTES


def test_it_is_trusted_by_name_and_port(stack_env: dict[str, str]) -> None:
    assert stack_env["CRM_API_ROOT_URL"] == f"http://{stack_env['CDP_ATTACHMENT_TRUSTED_HOSTS']}"
    assert stack_env["CDP_FILES_ROOT_URL"] == f"{stack_env['CDP_S3_ENDPOINT_URL']}/{stack_env['CDP_S3_BUCKET']}"


def test_one_whose_database_has_moved_must_be_started_again(stack: LocalStack, stack_env: dict[str, str]) -> None:
    state = json.loads((stack.root / "state.json").read_text())["servers"]

    def place(postgres_port: int) -> Place:
        ports = {"postgres": postgres_port}
        near = Place(data=stack.root / "data" / "postgres", log=Path(), ports=ports, settings={})
        crm = state["crm"]
        return Place(data=Path(), log=Path(), ports=crm["ports"], settings=crm["settings"], near={"postgres": near})

    port = state["postgres"]["ports"]["postgres"]
    CrmApi().check(place(port))
    with pytest.raises(NotReady, match="moved"):
        CrmApi().check(place(port + 1))
