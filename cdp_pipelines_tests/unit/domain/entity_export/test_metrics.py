"""The metrics as Prometheus reads them."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cdp_pipelines.domain.entity_export.metrics import (
    BUCKETS_SECONDS,
    ExportCount,
    ExportGauges,
    bucket_of,
    object_label,
    prometheus_text,
)

NOTHING_OPEN = ExportGauges(open_by_status={})


def samples(text: str) -> dict[tuple[str, ...], float]:
    """By name and labels' values, in the order of the labels' names."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def count(exported_object: str, status: str, number: int, buckets: dict[str, int]) -> ExportCount:
    return ExportCount(
        exported_object=exported_object,
        status=status,
        count=number,
        rows=number * 10,
        size_bytes=number * 2**40,
        seconds=number * 1.5,
        buckets=buckets,
    )


COUNTERS = (
    count("voucher", "DONE", 3, {"1": 1, "60": 1, "inf": 1}),
    count("voucher", "ERROR", 1, {"2": 1}),
    count("order", "DONE", 2, {"5": 2}),
    # The same once more, from another pipeline.
    count("order", "DONE", 1, {"5": 1}),
)


def test_counters_are_added_up_by_their_labels() -> None:
    found = samples(prometheus_text(COUNTERS, NOTHING_OPEN))
    assert found["cdp_exports_total", "voucher", "DONE"] == 3
    assert found["cdp_exports_total", "voucher", "ERROR"] == 1
    assert found["cdp_exports_total", "order", "DONE"] == 3
    assert found["cdp_export_rows_total", "voucher"] == 40
    assert found["cdp_export_bytes_total", "order"] == 3 * 2**40


def test_durations_are_a_histogram() -> None:
    text = prometheus_text(COUNTERS, NOTHING_OPEN)
    found = samples(text)
    name = "cdp_export_duration_seconds"
    voucher = [found[f"{name}_bucket", f"{bound}.0", "voucher"] for bound in BUCKETS_SECONDS]
    assert voucher == [1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3]
    assert found[f"{name}_bucket", "+Inf", "voucher"] == found[f"{name}_count", "voucher"] == 4
    assert found[f"{name}_sum", "voucher"] == 6.0
    assert f"# TYPE {name} histogram" in text


def test_bounds_that_are_no_more_count_to_the_next() -> None:
    found = samples(prometheus_text([count("voucher", "DONE", 2, {"45": 1, "9000": 1})], NOTHING_OPEN))
    assert found["cdp_export_duration_seconds_bucket", "30.0", "voucher"] == 0
    assert found["cdp_export_duration_seconds_bucket", "60.0", "voucher"] == 1
    assert found["cdp_export_duration_seconds_bucket", "+Inf", "voucher"] == 2


def test_gauges() -> None:
    found = samples(prometheus_text([], ExportGauges(open_by_status={"SCHEDULED": 4}, oldest_queued_seconds=12.5)))
    assert found == {
        ("cdp_exports_open", "SCHEDULED"): 4,
        ("cdp_exports_open", "IN_PROGRESS"): 0,
        ("cdp_export_oldest_queued_seconds",): 12.5,
    }


def test_two_texts_in_one_process_are_alike() -> None:
    assert prometheus_text(COUNTERS, NOTHING_OPEN) == prometheus_text(COUNTERS[::-1], NOTHING_OPEN)


@pytest.mark.parametrize(
    ("seconds", "bound"), [(0, "1"), (1, "1"), (1.01, "2"), (60, "60"), (7_200, "7200"), (7_200.1, "inf")]
)
def test_buckets(seconds: float, bound: str) -> None:
    assert bucket_of(seconds) == bound


@pytest.mark.parametrize(
    ("exported_object", "label"),
    [("voucher", "voucher"), ("contact", "contact"), ("", "unknown"), ("a person", "unknown"), (["x"], "unknown")],
)
def test_made_up_objects_make_no_series(exported_object: object, label: str) -> None:
    assert object_label(exported_object) == label
