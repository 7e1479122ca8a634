"""Numbers about exports in the Prometheus text format (SPEC 4, `cdp metrics`).

Belongs here: buckets, labels, names and the text. Not here: counting and keeping (`stores/export_metrics.py`). No label
ever names a company or a person: labels are read by whoever watches, and each value is a time series of its own.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cdp_pipelines.domain.entity_export.catalogue import ENTITIES
from cdp_pipelines.domain.entity_export.delivery import OPEN_STATUSES

if TYPE_CHECKING:
    from prometheus_client import Metric

BUCKETS_SECONDS: Final = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200)
"""Upper bounds; each export is also under `inf`. Bounds may be added: counts are kept by bound, not by place."""
NO_BOUND: Final = "inf"
UNKNOWN_OBJECT: Final = "unknown"

_OBJECTS: Final = frozenset(ENTITIES) | {"contact"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportCount:
    """All ended exports of an object and status: how many, their rows, bytes and seconds, each summed up.

    `buckets` says how many took how long: `{"60": 3}` are three of more than 30 and at most 60 seconds.
    """

    exported_object: str
    status: str
    count: int
    rows: int
    size_bytes: int
    seconds: float
    buckets: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportGauges:
    """What is open now: exports by status, and for how many seconds the oldest waits that nothing has begun, else 0."""

    open_by_status: Mapping[str, int]
    oldest_queued_seconds: float = 0.0


def bucket_of(seconds: float) -> str:
    """The bound that a duration is counted under."""
    place = bisect_left(BUCKETS_SECONDS, seconds)
    return str(BUCKETS_SECONDS[place]) if place < len(BUCKETS_SECONDS) else NO_BOUND


def object_label(exported_object: object) -> str:
    """The object as a label; `unknown` for whatever a request made up, so that nobody can make series without end."""
    return exported_object if isinstance(exported_object, str) and exported_object in _OBJECTS else UNKNOWN_OBJECT


def prometheus_text(counters: Sequence[ExportCount], gauges: ExportGauges) -> str:
    """All metrics as text (version 0.0.4 of the format); counters of one object and status are added up."""
    from prometheus_client import CollectorRegistry, generate_latest

    class Exports:
        """Gives what was counted elsewhere; prometheus_client's own counters would begin at 0 in each process."""

        def collect(self) -> "Iterator[Metric]":
            yield from _counters(counters)
            yield _durations(counters)
            yield from _gauges(gauges)

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Exports())
    return generate_latest(registry).decode("utf-8")


def _counters(counters: Sequence[ExportCount]) -> "Iterator[Metric]":
    from prometheus_client.core import CounterMetricFamily

    total = CounterMetricFamily("cdp_exports", "Exports that ended.", labels=["object", "status"])
    for (name, status), count in _summed(((c.exported_object, c.status), c.count) for c in counters).items():
        total.add_metric([name, status], count)
    yield total
    rows = CounterMetricFamily("cdp_export_rows", "Rows in the files of exports.", labels=["object"])
    for (name,), count in _summed(((c.exported_object,), c.rows) for c in counters).items():
        rows.add_metric([name], count)
    yield rows
    size = CounterMetricFamily("cdp_export_bytes", "Bytes in the files of exports.", labels=["object"])
    for (name,), count in _summed(((c.exported_object,), c.size_bytes) for c in counters).items():
        size.add_metric([name], count)
    yield size


def _durations(counters: Sequence[ExportCount]) -> "Metric":
    from prometheus_client.core import HistogramMetricFamily

    durations = HistogramMetricFamily(
        "cdp_export_duration_seconds", "How long exports took, from their start to their end.", labels=["object"]
    )
    seconds = _summed(((c.exported_object,), c.seconds) for c in counters)
    for (name,), sum_of_seconds in seconds.items():
        buckets = [c.buckets for c in counters if c.exported_object == name]
        durations.add_metric([name], _cumulative(buckets), sum_of_seconds)
    return durations


def _gauges(gauges: ExportGauges) -> "Iterator[Metric]":
    from prometheus_client.core import GaugeMetricFamily

    still_open = GaugeMetricFamily("cdp_exports_open", "Exports that have not ended.", labels=["status"])
    for status in OPEN_STATUSES:
        still_open.add_metric([status], gauges.open_by_status.get(status, 0))
    yield still_open
    yield GaugeMetricFamily(
        "cdp_export_oldest_queued_seconds",
        "How long the oldest export waits that has not begun.",
        value=gauges.oldest_queued_seconds,
    )


def _summed(values: Iterable[tuple[tuple[str, ...], float]]) -> dict[tuple[str, ...], float]:
    """Added up by labels, in a steady order."""
    sums: dict[tuple[str, ...], float] = {}
    for labels, value in values:
        sums[labels] = sums.get(labels, 0) + value
    return dict(sorted(sums.items()))


def _cumulative(buckets: Sequence[Mapping[str, int]]) -> list[tuple[str, float]]:
    """As histograms are written: each bound with all that is under it. A bound that is no more counts to the next."""
    counted = [(float(bound), count) for bounds in buckets for bound, count in bounds.items()]
    bounds = [*map(float, BUCKETS_SECONDS), float("inf")]
    return [
        ("+Inf" if bound == float("inf") else str(bound), float(sum(count for at, count in counted if at <= bound)))
        for bound in bounds
    ]
