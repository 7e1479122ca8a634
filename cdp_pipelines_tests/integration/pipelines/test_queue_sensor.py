from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from cdp_pipelines.definitions import build_defs
from cdp_pipelines.domain.errors import ConfigurationError
from cdp_pipelines.pipelines.companies.sensors import company_partitions
from cdp_pipelines.pipelines.exports.config import MOST_LAUNCHES_A_TICK
from cdp_pipelines.stores.migrations.runner import Migrator
from cdp_pipelines_tests.integration.pipelines.harness import Exports, contact_id


def test_a_request_becomes_one_run_with_its_names(exports: Exports) -> None:
    job_id = exports.queue(user_sso_id="user-7")
    (request,) = exports.tick()
    assert request.run_key == f"contact_export:{job_id}:attempt1"
    assert request.partition_key == exports.company
    tags = {key: request.tags[key] for key in ("company", "request_id", "requested_by")}
    assert tags == {"company": exports.company, "request_id": job_id, "requested_by": "user-7"}
    assert exports.company in exports.instance.get_dynamic_partitions("company")
    assert exports.tick() == []


def test_ticks_at_once_launch_each_request_once(exports: Exports) -> None:
    job_ids = {exports.queue() for _ in range(20)}
    with ThreadPoolExecutor(4) as pool:
        ticks = list(pool.map(lambda _: exports.tick(), range(4)))
    launched = [request.tags["request_id"] for tick in ticks for request in tick]
    assert sorted(launched) == sorted(job_ids)


def test_a_tick_is_bounded_and_nothing_is_lost(exports: Exports) -> None:
    job_ids = {exports.queue() for _ in range(MOST_LAUNCHES_A_TICK + 5)}
    first, second = exports.tick(), exports.tick()
    assert (len(first), len(second)) == (MOST_LAUNCHES_A_TICK, 5)
    assert {request.tags["request_id"] for request in first + second} == job_ids


def test_a_claim_whose_tick_died_is_launched_again_under_a_new_key(exports: Exports) -> None:
    job_id = exports.queue()
    exports.tick()
    _age_claim(exports, job_id)
    (again,) = exports.tick()
    assert again.run_key == f"contact_export:{job_id}:attempt2"


def test_a_run_that_exists_is_never_launched_again(exports: Exports) -> None:
    job_id = exports.queue()
    (request,) = exports.tick()
    job = build_defs(resources=exports.run_resources()).resolve_job_def("contact_export")
    exports.instance.create_run_for_job(job, tags=dict(request.tags))
    _age_claim(exports, job_id)
    assert exports.tick() == []


def _age_claim(exports: Exports, job_id: str) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    exports.db["bulk_upload_jobs"].update_one({"job_id": job_id}, {"$set": {"launch.expires_at": past}})


def test_the_sixth_request_of_an_hour_is_refused_and_refusals_do_not_count(
    make_exports: Callable[..., Exports],
) -> None:
    exports = make_exports(max_per_window=5)
    for _ in range(3):
        exports.queue(format="pdf")
    job_ids = [exports.queue() for _ in range(6)]
    assert len(exports.tick()) == 5
    refused = [exports.job(job_id) for job_id in job_ids if exports.job(job_id)["status"] == "rejected"]
    assert [(job["error"]["code"], job["error"]["http_status"]) for job in refused] == [
        ("EXPORT_RATE_LIMIT_EXCEEDED", 429)
    ]
    assert 0 < refused[0]["error"]["details"]["retry_after_seconds"] <= 3600


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"company_sso_id": ...}, "FLAG_DISABLED"),
    ({"company_sso_id": {"$ne": None}}, "FLAG_DISABLED"),
    ({"company_sso_id": 5}, "FLAG_DISABLED"),
    ({"company_sso_id": "nobody"}, "FLAG_DISABLED"),
    ({"permissions": ...}, "FORBIDDEN"),
    ({"job_id": ...}, "EXPORT_REQUEST_INVALID"),
    ({"job_id": 7}, "EXPORT_REQUEST_INVALID"),
    ({"email": "no address"}, "EXPORT_REQUEST_INVALID"),
    ({"contact_ids": "x" * 24}, "EXPORT_REQUEST_INVALID"),
    ({"contact_ids": [None]}, "EXPORT_REQUEST_INVALID"),
    ({"filter": {"$where": "while(1){}"}}, "EXPORT_REQUEST_INVALID"),
    ({"period": [1, 2]}, "EXPORT_REQUEST_INVALID"),
    ({"selected_fields": {"$gt": ""}}, "EXPORT_REQUEST_INVALID"),
    ({"layout_id": {"$gt": ""}}, "EXPORT_REQUEST_INVALID"),
    ({"status": "Queued"}, "EXPORT_REQUEST_INVALID"),
    ({"status": ...}, "EXPORT_REQUEST_INVALID"),
    ({"contact_ids": ...}, "EXPORT_SELECTION_MODE_INVALID"),
    ({"selection_mode": "all"}, "EXPORT_SELECTION_MODE_INVALID"),
    ({"contact_ids": [f"{n:024x}" for n in range(10_001)]}, "EXPORT_LIMIT_EXCEEDED"),
    ({"format": None}, "EXPORT_FORMAT_INVALID"),
]


@pytest.mark.any_mongo
@pytest.mark.parametrize(("changes", "code"), MISTAKES)
def test_a_document_inserted_with_a_mistake_ends_with_words_for_a_person(
    exports: Exports, changes: dict[str, Any], code: str
) -> None:
    exports.queue(**changes)
    assert exports.tick() == []
    (job,) = exports.db["bulk_upload_jobs"].find({})
    assert (job["status"], job["error"]["code"]) == ("rejected", code)
    assert len(job["error"]["message"]) > 20
    assert job["error"]["message"].endswith(".")
    assert exports.emails("example") == []


@pytest.mark.any_mongo
def test_a_flag_that_is_off_stops_a_request(exports: Exports) -> None:
    exports.db["companies"].update_one({"_id": exports.company}, {"$set": {"features": {}}})
    assert exports.export()["error"]["code"] == "FLAG_DISABLED"


def test_a_request_canceled_in_the_queue_is_not_launched(exports: Exports) -> None:
    job_id = exports.queue(cancel_requested=True)
    assert exports.tick() == []
    assert exports.job(job_id)["status"] == "canceled"


def test_missing_migrations_are_said_by_the_tick(exports: Exports) -> None:
    Migrator(exports.db).down(0)
    with pytest.raises(ConfigurationError, match="cdp migrate-indexes up"):
        exports.tick()


def test_partitions_follow_the_companies(exports: Exports) -> None:
    exports.db["companies"].insert_many([{"_id": "new"}, {"_id": "un/usable"}])
    exports.instance.add_dynamic_partitions("company", ["gone", exports.company])
    repository = build_defs().get_repository_def()
    with dg.build_sensor_context(
        instance=exports.instance, repository_def=repository, resources={"cdp_mongo": exports.resource.cdp_mongo}
    ) as context:
        result = company_partitions(context)
    assert isinstance(result, dg.SensorResult)
    changes = {type(r).__name__: sorted(r.partition_keys) for r in result.dynamic_partitions_requests or []}
    assert changes == {"AddDynamicPartitionsRequest": ["new"], "DeleteDynamicPartitionsRequest": ["gone"]}


def test_a_partition_with_a_history_stays(exports: Exports) -> None:
    exports.export(contact_ids=[contact_id(1)])
    exports.db["companies"].delete_one({"_id": exports.company})
    repository = build_defs().get_repository_def()
    with dg.build_sensor_context(
        instance=exports.instance, repository_def=repository, resources={"cdp_mongo": exports.resource.cdp_mongo}
    ) as context:
        assert isinstance(company_partitions(context), dg.SkipReason)


def told(caplog: pytest.LogCaptureFixture, event: str) -> int:
    return sum(event in record.getMessage() for record in caplog.records)


def test_the_event_of_an_admitted_request_comes_once_also_when_it_fails_before_a_row(
    exports: Exports, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="cdp_pipelines")
    job_id = exports.queue(layout_id="no-such-layout")
    (request,) = exports.tick()
    assert told(caplog, "cdp_export_customer_triggered") == 1
    _age_claim(exports, job_id)
    (again,) = exports.tick()
    assert again.run_key != request.run_key
    exports.run(again)
    assert exports.job(job_id)["error"]["code"] == "LAYOUT_NOT_FOUND"
    assert told(caplog, "cdp_export_customer_triggered") == 1


@pytest.mark.parametrize(("changes", "events"), [({}, (1, 0)), ({"format": "pdf"}, (0, 1)), ({"email": "x"}, (0, 1))])
def test_a_request_launched_by_hand_is_told_of_once_too(
    exports: Exports, caplog: pytest.LogCaptureFixture, changes: dict[str, Any], events: tuple[int, int]
) -> None:
    caplog.set_level("INFO", logger="cdp_pipelines")
    job_id = exports.queue(**changes)
    exports.instance.add_dynamic_partitions("company", [exports.company])
    config = {"ops": {"contact_exports": {"ops": {"load_request": {"config": {"request_id": job_id}}}}}}
    exports.run(dg.RunRequest(partition_key=exports.company, run_config=config))
    assert exports.job(job_id)["status"] == ("rejected" if events[1] else "completed")
    found = told(caplog, "cdp_export_customer_triggered"), told(caplog, "cdp_export_customer_rejected")
    assert found == events
