"""The object store and MongoDB going away while an entity export is written: every row once, or nothing at all."""

import csv
import io
import threading
from collections.abc import Callable, Iterator

import dagster as dg
import pytest

from cdp_pipelines.local.stack import LocalStack
from cdp_pipelines_tests.integration.pipelines.entity_harness import (
    Document,
    EntityExportsOf,
    Watcher,
    entity_resource,
    watched_store,
)

pytestmark = pytest.mark.timeout(240)

ROWS = 400


class Blink:
    """Stops a server at the n-th sign, and starts it `seconds` later; None: not before the end of the test."""

    def __init__(self, stack: LocalStack, server: str, at: int, seconds: float | None) -> None:
        self._stack, self._server, self._at, self._seconds = stack, server, at, seconds
        self.signs = 0
        self._starter: threading.Timer | None = None

    def __call__(self, *_: object) -> None:
        self.signs += 1
        if self.signs != self._at:
            return
        self._stack.stop_one(self._server)
        if self._seconds is not None:
            self._starter = threading.Timer(self._seconds, self._stack.start_one, args=(self._server,))
            self._starter.start()

    def over(self) -> None:
        """The server was stopped, and is there again."""
        assert self.signs >= self._at
        if self._starter is not None:
            self._starter.join()
        self._stack.start_one(self._server)


@pytest.fixture
def all_up(stack: LocalStack) -> Iterator[LocalStack]:
    yield stack
    for server in ("s3", "mongo"):
        stack.start_one(server)


def run_with_store(
    entities: EntityExportsOf, request: dg.RunRequest, asked: Callable[[str], None], *, page_rows: int | None = None
) -> dg.ExecuteInProcessResult:
    store = watched_store(entities.env, asked)
    resource = entity_resource(entities.env, entities.db.name, object_store=store, page_rows=page_rows)
    return entities.run(request, entity_export=resource)


def add_large_rows(entities: EntityExportsOf) -> Document:
    """Rows for one file of three parts of 16 MiB; returns what to ask for."""
    entities.add("orders", *({"id": f"o-{n:02d}", "metadata": {"k": "x" * 3_200_000}} for n in range(12)))
    return {"fields": ["id", "metadata.k"], "order": "id"}


def column(entities: EntityExportsOf, document: Document) -> list[str]:
    csv.field_size_limit(10_000_000)
    text = entities.content(document).decode("utf-8-sig")
    return [row[0] for row in csv.reader(io.StringIO(text, newline=""))][1:]


@pytest.mark.any_mongo
def test_a_store_that_is_cut_between_parts_and_back_in_time(
    make_entities: Callable[..., EntityExportsOf], all_up: LocalStack
) -> None:
    entities = make_entities(page_rows=2)
    export_id = entities.queue(parameters=add_large_rows(entities))
    (request,) = entities.tick()
    blink = Blink(all_up, "s3", 2, 1.5)
    result = run_with_store(entities, request, lambda step: blink() if step == "UploadPart" else None, page_rows=2)
    blink.over()
    assert result.success
    document = entities.document(export_id)
    assert column(entities, document) == [f"o-{n:02d}" for n in range(12)]
    entities.assert_nothing_is_left()


@pytest.mark.any_mongo
def test_what_an_outage_left_of_a_first_try_is_gone_after_the_second(
    make_entities: Callable[..., EntityExportsOf], all_up: LocalStack
) -> None:
    """The store is away for longer than the first try waits: what that has sent, only the second can remove."""
    entities = make_entities(page_rows=2)
    export_id = entities.queue(parameters=add_large_rows(entities))
    (request,) = entities.tick()
    blink = Blink(all_up, "s3", 2, None)
    left: list[str] = []

    def asked(step: str) -> None:
        if step == "UploadPart":
            blink()
        elif step == "ListMultipartUploads" and blink.signs >= 2 and not left:
            # The second try looks for what the first has left.
            blink.over()
            left.extend(entities.uploads())

    result = run_with_store(entities, request, asked, page_rows=2)
    assert len(left) == 1
    assert result.success, entities.document(export_id)["error"]
    assert column(entities, entities.document(export_id)) == [f"o-{n:02d}" for n in range(12)]
    entities.assert_nothing_is_left()


@pytest.mark.any_mongo
def test_a_store_that_stays_away_is_an_error_and_is_swept_when_it_is_back(
    make_entities: Callable[..., EntityExportsOf], all_up: LocalStack
) -> None:
    entities = make_entities(page_rows=2)
    export_id = entities.queue(parameters=add_large_rows(entities))
    (request,) = entities.tick()
    blink = Blink(all_up, "s3", 2, None)
    assert not run_with_store(
        entities, request, lambda step: blink() if step == "UploadPart" else None, page_rows=2
    ).success
    document = entities.document(export_id)
    assert (document["status"], document["error"]["code"]) == ("ERROR", "OBJECT_STORE_UNAVAILABLE")
    assert (document["result"], document["cleanup_pending"]) == (None, True)
    # While it is away, a sweep says so and goes on.
    assert any("still not removed" in line for line in entities.sweep().lines)
    blink.over()
    assert entities.uploads() == document["object_keys"]
    entities.sweep()
    assert "cleanup_pending" not in entities.document(export_id)
    entities.assert_nothing_is_left()


@pytest.mark.parametrize("order", [None, "-updated_at"])
def test_mongodb_away_in_the_middle_of_a_walk(
    make_entities: Callable[..., EntityExportsOf], all_up: LocalStack, order: str | None
) -> None:
    """The walk begins anew: rows that were written before are not in the file twice."""
    entities = make_entities(page_rows=50)
    entities.add_orders(ROWS)
    export_id = entities.queue(parameters={"order": order, "fields": ["id"]})
    (request,) = entities.tick()
    blink = Blink(all_up, "mongo", 3, 1.5)
    result = entities.run_watched(request, Watcher("getMore", "", 1, blink))
    blink.over()
    assert result.success
    document = entities.document(export_id)
    assert sorted(column(entities, document)) == [f"ord_{n:06d}" for n in range(ROWS)]
    assert (document["progress"], document["total"]) == (ROWS, ROWS)
    entities.assert_nothing_is_left()
