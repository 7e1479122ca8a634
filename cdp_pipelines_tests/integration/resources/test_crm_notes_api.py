"""The CRM's notes over HTTP, on small real servers: what is asked, when again, how long waited, and what is told."""

import gzip
import json
import logging
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from cdp_pipelines.domain.errors import CdpError, ConfigurationError, PermanentFailure, TransientFailure
from cdp_pipelines.resources.crm_api import LONGEST_WAIT_SECONDS, RETRY_WAITS, CrmApi
from cdp_pipelines.resources.crm_notes import CrmNotesResource, NotesOverview
from cdp_pipelines.resources.crm_notes_api import HttpNotes
from cdp_pipelines.resources.crm_postgres import CrmPostgresResource
from cdp_pipelines.resources.http_client import HttpEndpoint
from cdp_pipelines_tests.integration.resources.http_servers import (
    Answer,
    Answers,
    Asked,
    closed_port,
    recording_server,
)
from cdp_pipelines_tests.integration.resources.raw_servers import (
    Connection,
    raw_server,
    server_that_never_accepts,
)

SECRET = "Token-of-the-CRM"
LOGGER = "cdp_pipelines.resources.crm_api"
NO_WAITS = (0.0, 0.0, 0.0)
TRIES = 4


@contextmanager
def api_at(
    url: str, *, waits: Sequence[float] = NO_WAITS, timeout: float = 5, authorization: str = SECRET, **more: Any
) -> Iterator[CrmApi]:
    endpoint = HttpEndpoint(
        name="The CRM's API", code="CRM", setting="CRM_API_ROOT_URL", url=url, authorization=authorization,
        timeout_seconds=timeout,
    )  # fmt: skip
    with closing(CrmApi(endpoint, retry_waits=waits, **more)) as api:
        yield api


def ask(url: str, **options: Any) -> Any:
    with api_at(url, **options) as api:
        return api.get("/notes", {"page": 3, "per_page": 500})


def body(value: Any, **headers: str) -> Answer:
    return 200, {"Content-Type": "application/json", **headers}, json.dumps(value).encode()


def pages_of(notes: Sequence[Mapping[str, Any]], *, most: int = 1_000) -> Answers:
    """Answers as SPEC 6 says."""

    def answer(asked: Asked) -> Answer:
        query = parse_qs(urlsplit(asked.path).query)
        page, per_page = int(query["page"][0]), min(int(query["per_page"][0]), most)
        return body(
            {
                "data": notes[(page - 1) * per_page : page * per_page],
                "pagination": {"page": page, "per_page": per_page, "total": len(notes)},
            }
        )

    return answer


def waits_said(caplog: pytest.LogCaptureFixture) -> list[float]:
    """How long it was waited before each further try, as the log says."""
    said = [record.getMessage() for record in caplog.records if record.name == LOGGER]
    return [float(message.split(" again in ")[1].split(" s: ")[0]) for message in said]


class TestAsking:
    def test_the_request(self) -> None:
        with recording_server([body({"ok": True})]) as server:
            assert ask(server.url + "/crm/", request_id="r-1\r\nX-Evil: 1") == {"ok": True}
        (asked,) = server.asked
        assert (asked.method, asked.path, asked.body) == ("GET", "/crm/notes?page=3&per_page=500", b"")
        assert asked.headers["authorization"] == SECRET
        assert asked.headers["accept"] == "application/json"
        assert asked.headers["x-request-id"] == "r-1??X-Evil: 1"
        assert "x-evil" not in asked.headers

    def test_without_a_request_no_id_is_sent(self) -> None:
        with recording_server([body(1)]) as server:
            ask(server.url)
        assert "x-request-id" not in server.asked[0].headers

    def test_a_packed_answer(self) -> None:
        packed = gzip.compress(b'{"a": "\xe5\xae\x89"}')
        with recording_server([(200, {"Content-Encoding": "gzip"}, packed)]) as server:
            assert ask(server.url) == {"a": "安"}

    def test_a_connection_is_kept(self) -> None:
        def serve(connection: Connection) -> None:
            while connection.read_request():
                connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

        with raw_server(serve) as server, api_at(server.url) as api:
            for _ in range(3):
                api.get("/notes", {})
            assert (server.connections, len(server.requests)) == (1, 3)
            api.close()
            api.get("/notes", {})
            assert server.connections == 2

    def test_addresses_and_the_secret_stay_out_of_the_log(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.INFO), recording_server([500, body({})]) as server:
            ask(server.url)
        assert "per_page" not in caplog.text
        assert SECRET not in caplog.text


class TestTryingAgain:
    @pytest.mark.parametrize("first", [500, 502, 503, 504, 599, 423, 429, "hang", "hang up"])
    def test_one_passing_fault(self, first: Answer) -> None:
        with recording_server([first, body({})]) as server:
            assert ask(server.url, timeout=1) == {}
        assert len(server.asked) == 2
        assert server.asked[0].path == server.asked[1].path

    @pytest.mark.parametrize("answer", [500, 423, 429, "hang", "hang up"])
    def test_one_try_and_three_more(self, answer: Answer) -> None:
        with recording_server([answer]) as server, pytest.raises(TransientFailure) as caught:
            ask(server.url, timeout=0.5)
        assert len(server.asked) == TRIES
        assert_plain(caught.value)
        assert "4 times" in caught.value.message
        assert caught.value.details == ({"http_status": answer} if isinstance(answer, int) else {})

    def test_the_last_of_the_tries_counts(self) -> None:
        with recording_server([500, "hang up", 429, body([1])]) as server:
            assert ask(server.url) == [1]
        assert len(server.asked) == TRIES

    def test_nobody_listens(self, caplog: pytest.LogCaptureFixture) -> None:
        with pytest.raises(TransientFailure) as caught:
            ask(f"http://127.0.0.1:{closed_port()}")
        assert_plain(caught.value)
        assert len(caplog.records) == TRIES - 1

    def test_nobody_accepts(self) -> None:
        with server_that_never_accepts() as server, pytest.raises(TransientFailure) as caught:
            ask(server.url, timeout=0.1)
        assert_plain(caught.value)

    @pytest.mark.parametrize(
        "begun",
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
            b"HTTP/1.1 200 OK\r\nContent-Len",
            b"SMTP ready\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n{} {",
        ],
    )
    def test_an_answer_that_breaks_off(self, begun: bytes) -> None:
        def serve(connection: Connection) -> None:
            connection.read_request()
            again = server.connections > 1
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]" if again else begun)

        with raw_server(serve) as server:
            assert ask(server.url) == []
        assert len(server.requests) == 2

    def test_a_kept_connection_that_was_closed_meanwhile(self) -> None:
        def serve(connection: Connection) -> None:
            connection.read_request()
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")
            connection.socket.shutdown(socket.SHUT_RDWR)

        with raw_server(serve) as server, api_at(server.url) as api:
            assert [api.get("/notes", {}) for _ in range(3)] == [[], [], []]

    def test_an_answer_that_drips_is_given_up(self) -> None:
        def serve(connection: Connection) -> None:
            connection.read_request()
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            connection.send(*[b" "] * 100_000, pause=0.02)

        with raw_server(serve) as server, pytest.raises(TransientFailure, match="too slowly") as caught:
            ask(server.url, timeout=0.1, waits=[0.0])
        assert server.connections == 2
        assert_plain(caught.value)


class TestWaits:
    def test_of_the_specification(self) -> None:
        assert RETRY_WAITS == (1.0, 3.0, 9.0)
        assert CrmNotesResource().retry_waits == [1.0, 3.0, 9.0]

    def test_are_waited_in_order(self, caplog: pytest.LogCaptureFixture) -> None:
        with recording_server([500]) as server, pytest.raises(TransientFailure):
            ask(server.url, waits=[0.1, 0.3, 0.2])
        assert waits_said(caplog) == [0.1, 0.3, 0.2]

    def test_begin_anew_with_each_page(self, caplog: pytest.LogCaptureFixture) -> None:
        with recording_server([500, body(1), 500, body(2)]) as server, api_at(server.url, waits=[0.1, 0.2]) as api:
            assert [api.get("/notes", {}), api.get("/notes", {})] == [1, 2]
        assert waits_said(caplog) == [0.1, 0.1]

    def test_none_are_one_try(self) -> None:
        with recording_server([500]) as server, pytest.raises(TransientFailure, match="tried 1 time"):
            ask(server.url, waits=[])
        assert len(server.asked) == 1

    @pytest.mark.parametrize("status", [429, 503])
    def test_retry_after_in_seconds(self, caplog: pytest.LogCaptureFixture, status: int) -> None:
        with recording_server([(status, {"Retry-After": "1"}, b""), body({})]) as server:
            ask(server.url, waits=[0.2])
        assert waits_said(caplog) == [1.0]

    def test_retry_after_as_a_date(self, caplog: pytest.LogCaptureFixture) -> None:
        at = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
        with recording_server([(429, {"Retry-After": at}, b""), body({})]) as server:
            ask(server.url, waits=[0.0])
        (waited,) = waits_said(caplog)
        assert 0 < waited <= 2

    @pytest.mark.parametrize(
        "asked_for", ["0", "-5", "soon", "", "Wed, 01 Jan 2020 00:00:00 GMT", "Wed, 99 Foo 2020", "1.5", "٣"]
    )
    def test_shorter_or_unreadable_ones_leave_our_own(self, caplog: pytest.LogCaptureFixture, asked_for: str) -> None:
        raw = f"HTTP/1.1 429 Slow down\r\nRetry-After: {asked_for}\r\nContent-Length: 0\r\n\r\n".encode()

        def serve(connection: Connection) -> None:
            while connection.read_request():
                again = len(server.requests) > 1
                connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}" if again else raw)

        with raw_server(serve) as server:
            assert ask(server.url, waits=[0.2]) == {}
        assert waits_said(caplog) == [0.2]

    @pytest.mark.parametrize(
        "asked_for", ["121", "9" * 400, format_datetime(datetime(9999, 1, 1, tzinfo=UTC), usegmt=True)]
    )
    def test_longer_ones_are_cut(self, asked_for: str) -> None:
        # Two minutes are not waited for here: what would be waited stands on the error of the single try.
        slow = (429, {"Retry-After": asked_for}, b"")
        with recording_server([slow]) as server, pytest.raises(TransientFailure) as caught:
            ask(server.url, waits=[])
        assert getattr(caught.value.__cause__, "after_seconds", None) == LONGEST_WAIT_SECONDS


class TestRefusals:
    @pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422, 204, 206])
    def test_are_not_tried_again(self, status: int) -> None:
        content = b"" if status == 204 else b"ann@customer.example"
        with recording_server([(status, {}, content)]) as server, pytest.raises(PermanentFailure) as caught:
            ask(server.url)
        assert len(server.asked) == 1
        assert caught.value.details == {"http_status": status}
        assert "CRM_API_AUTH" in caught.value.message
        assert_plain(caught.value)

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_redirects_are_not_followed(self, status: int) -> None:
        with recording_server() as other, recording_server([(status, {"Location": other.url}, b"")]) as server:
            with pytest.raises(PermanentFailure) as caught:
                ask(server.url)
            assert len(server.asked) == 1
        assert other.asked == []
        assert_plain(caught.value)

    @pytest.mark.parametrize(
        "content",
        [b"", b"<html>ann@customer.example</html>", b'{"data": [', b"\xff\xfe\xfa", b"[" * 200_000, b"1" * 5_000],
    )
    def test_what_is_no_json(self, content: bytes) -> None:
        with recording_server([(200, {}, content)]) as server, pytest.raises(PermanentFailure, match="JSON") as caught:
            ask(server.url)
        assert len(server.asked) == 1
        assert_plain(caught.value)

    @pytest.mark.parametrize("packed", [False, True])
    def test_a_huge_answer_is_not_read_to_its_end(self, packed: bool) -> None:
        content = gzip.compress(b" " * 2_000_000) if packed else b" " * 2_000_000
        headers = {"Content-Encoding": "gzip"} if packed else {}
        with recording_server([(200, headers, content)]) as server:
            with pytest.raises(PermanentFailure, match="more than 1,000,000 bytes") as caught:
                ask(server.url, largest_answer=1_000_000)
            assert len(server.asked) == 1
        assert_plain(caught.value)

    @pytest.mark.parametrize("secret", [f"{SECRET}\n", f"{SECRET}ü", f"{SECRET}\r\nX-Evil: 1"])
    def test_a_secret_that_no_header_can_hold(self, secret: str) -> None:
        with recording_server() as server, pytest.raises(ConfigurationError, match="CRM_API_AUTH") as caught:
            ask(server.url, authorization=secret)
        assert server.asked == []
        assert SECRET not in f"{caught.value}{caught.value.__cause__}"

    def test_an_address_that_none_can_ask(self) -> None:
        with pytest.raises(ConfigurationError, match="CRM_API_ROOT_URL"):
            ask("http://crm\x7f.example/")


def assert_plain(error: CdpError) -> None:
    """An error that says what to check, and nothing that should not stand in a log."""
    assert error.code == "CRM_EXTRACT_FAILED"
    said = f"{error}{error.__cause__}"
    for hidden in (SECRET, "127.0.0.1", "per_page", "customer.example"):
        assert hidden not in said
    if isinstance(error, TransientFailure):
        assert "CRM_API_ROOT_URL" in error.message


class TestNotes:
    @pytest.fixture(autouse=True)
    def _no_settings(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("CRM_API_ROOT_URL", "CRM_API_AUTH", "CRM_NOTES_EXTRACT_TIMEOUT", "CDP_CRM_NOTES_SOURCE"):
            monkeypatch.delenv(name, raising=False)

    def test_through_the_resource(self) -> None:
        notes = [{"id": each, "note": f"<p>{each}</p>", "crm_person_id": 1} for each in range(5, 2_505)]
        with recording_server(pages_of(notes)) as server:
            resource = CrmNotesResource(source="http", root_url=server.url, authorization=SECRET)
            with closing(resource.open(42, database=CrmPostgresResource(), request_id="r-9")) as extractor:
                assert extractor.overview(None) == NotesOverview(2_500, 5, 2_504)
                server.asked.clear()
                pages = list(extractor.notes(after=0, to=2_504, cutoff=None, page_rows=5_000))
        assert [len(page) for page in pages] == [1_000, 1_000, 500]
        assert [note.id for page in pages for note in page] == list(range(5, 2_505))
        assert pages[0][0].content == "<p>5</p>"
        path = "/api/v1/organizations/42/person_notes"
        assert [asked.path for asked in server.asked] == [f"{path}?page={n}&per_page=1000" for n in (1, 2, 3)]
        assert {asked.headers["x-request-id"] for asked in server.asked} == {"r-9"}

    def test_settings_of_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with recording_server(["hang"]) as server:
            monkeypatch.setenv("CDP_CRM_NOTES_SOURCE", "HTTP")
            monkeypatch.setenv("CRM_API_ROOT_URL", server.url)
            monkeypatch.setenv("CRM_API_AUTH", SECRET)
            monkeypatch.setenv("CRM_NOTES_EXTRACT_TIMEOUT", "1")
            extractor = CrmNotesResource(retry_waits=[]).open(1, database=CrmPostgresResource())
            with closing(extractor), pytest.raises(TransientFailure, match="ReadTimeout"):
                extractor.overview(None)
        assert server.asked[0].headers["authorization"] == SECRET

    @pytest.mark.parametrize(
        ("given", "missing"), [({}, "CRM_API_ROOT_URL"), ({"root_url": "http://h"}, "CRM_API_AUTH")]
    )
    def test_missing_settings_are_named(self, given: Mapping[str, Any], missing: str) -> None:
        with pytest.raises(ConfigurationError, match=missing):
            CrmNotesResource(source="http", **given).open(1, database=CrmPostgresResource())

    @pytest.mark.parametrize("source", ["ftp", "postgres,http"])
    def test_a_source_that_is_none(self, source: str) -> None:
        with pytest.raises(ConfigurationError, match="CDP_CRM_NOTES_SOURCE"):
            CrmNotesResource(source=source).open(1, database=CrmPostgresResource())

    def test_goes_on_over_faults_between_pages(self) -> None:
        notes = [{"id": each} for each in range(2, 202, 2)]
        right = pages_of(notes)
        faults = iter([500, "hang up", 429, 503])

        def answer(asked: Asked) -> Answer:
            assert callable(right)
            fault: Any = next(faults, None) if len(server.asked) % 3 == 0 else None
            return right(asked) if fault is None else fault

        with recording_server(answer) as server, api_at(server.url) as api:
            pages = list(HttpNotes(api, 1).notes(after=0, to=10**6, cutoff=None, page_rows=20))
        assert [note.id for page in pages for note in page] == list(range(2, 202, 2))
        assert next(faults, None) is None

    def test_a_page_that_is_none_is_asked_for_once(self) -> None:
        useless = body({"data": [{"note": "ann@customer.example"}], "pagination": {}})
        with (
            recording_server([useless]) as server,
            api_at(server.url) as api,
            pytest.raises(PermanentFailure) as caught,
        ):
            HttpNotes(api, 1).overview(None)
        assert len(server.asked) == 1
        assert_plain(caught.value)

    def test_text_of_all_kinds_comes_through(self) -> None:
        notes = '[{"id": 1, "note": "安 \\ud83d\\ude00 \\ud800 \\u0000"}]'
        content = f'{{"data": {notes}, "pagination": {{"page": 1, "per_page": 500, "total": 1}}}}'
        with recording_server([(200, {}, content.encode())]) as server, api_at(server.url) as api:
            ((note,),) = HttpNotes(api, 1).notes(after=0, to=9, cutoff=None, page_rows=500)
        assert note.content == "安 😀 \ud800 \0"
