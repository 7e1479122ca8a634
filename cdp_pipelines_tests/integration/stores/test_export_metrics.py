from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo.database import Database

from cdp_pipelines.domain.entity_export.metrics import ExportCount, ExportGauges, prometheus_text
from cdp_pipelines.stores.export_metrics import ExportMetrics

Db = Database[dict[str, Any]]
NOW = datetime(2026, 5, 1, 10, tzinfo=UTC)


def test_many_who_count_at_once_lose_nothing(mongo_db: Db) -> None:
    metrics = ExportMetrics(mongo_db)

    def count(number: int) -> None:
        metrics.count("entity_export", "voucher", "DONE", rows=10, size_bytes=2**33, seconds=number % 3, now=NOW)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(24)))
    metrics.count("entity_export", "made up", "ERROR", rows=0, size_bytes=0, seconds=-1, now=NOW)
    assert metrics.counters() == [
        ExportCount(
            exported_object="unknown", status="ERROR", count=1, rows=0, size_bytes=0, seconds=0, buckets={"1": 1}
        ),
        ExportCount(
            exported_object="voucher",
            status="DONE",
            count=24,
            rows=240,
            size_bytes=24 * 2**33,
            seconds=24,
            buckets={"1": 16, "2": 8},
        ),
    ]
    assert 'cdp_exports_total{object="voucher",status="DONE"} 24.0' in prometheus_text(
        metrics.counters(), metrics.gauges(now=NOW)
    )


def test_gauges_of_what_is_open(mongo_db: Db) -> None:
    metrics = ExportMetrics(mongo_db)
    assert metrics.gauges(now=NOW) == ExportGauges(open_by_status={"SCHEDULED": 0, "IN_PROGRESS": 0})
    mongo_db["exports"].insert_many(
        {"status": status, "created_at": NOW - timedelta(minutes=age)}
        for status, age in (("SCHEDULED", 5), ("SCHEDULED", 7), ("IN_PROGRESS", 60), ("DONE", 90))
    )
    assert metrics.gauges(now=NOW) == ExportGauges(
        open_by_status={"SCHEDULED": 2, "IN_PROGRESS": 1}, oldest_queued_seconds=420
    )
