"""`export_run_failures`: one sweeper over every kind of export there is."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from cdp_pipelines.domain.errors import CdpError
from cdp_pipelines.pipelines.alerting import repeat_alerts
from cdp_pipelines.pipelines.budget import Budget
from cdp_pipelines.pipelines.exports.kinds import ExportKind
from cdp_pipelines.pipelines.exports.sweep import sweep_exports
from cdp_pipelines.resources.work_directory import sweep_work_directories


def export_run_failures_sensor(kinds: Sequence[ExportKind[Any]]) -> dg.SensorDefinition:
    """The sweeper over the requests of these kinds; each needs the Dagster resource of its name."""

    @dg.sensor(
        name="export_run_failures",
        minimum_interval_seconds=15,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={kind.name for kind in kinds},
        description="Ends the export requests whose run failed, was canceled or died before it could: no file stays, "
        "one failure email goes out. Also repeats failure emails and file removals that an outage prevented, removes "
        "the work folders of dead runs of its machine, and alerts when a queue stands still.",
    )
    def export_run_failures(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        """One bounded look at what is open of each kind; see `sweep.py`."""
        before = _positions(context.cursor)
        after: dict[str, str] = {}
        summaries: list[str] = []
        errors: list[CdpError] = []
        budget = Budget()
        told: list[str] | None = None
        for kind in kinds:
            position = before.get(kind.name)
            services = getattr(context.resources, kind.name).services()
            try:
                report = sweep_exports(kind, services, context.instance, after=position, budget=budget)
                if told is None:
                    # Once a tick: all kinds have the same receiver and the same memory.
                    told = repeat_alerts(services, budget)
                    report.lines.extend(told)
            except CdpError as exc:
                # The others are swept all the same; this one goes on from where it stands.
                errors.append(exc)
                summaries.append(f"{kind.title}: {exc}")
                after.update({kind.name: position} if position else {})
                continue
            for line in report.lines:
                context.log.info(line)
            summaries.append(f"{kind.title}: {report.summary}")
            after.update({kind.name: report.cursor} if report.cursor else {})
        _remove_work_directories(context)
        if errors and len(errors) == len(kinds):
            raise errors[0]
        context.update_cursor(json.dumps(after))
        return dg.SkipReason(" ".join(summaries))

    return export_run_failures


def _remove_work_directories(context: dg.SensorEvaluationContext) -> None:
    try:
        removed = sweep_work_directories()
    except OSError as exc:
        context.log.warning("Work folders of dead runs could not be looked for: %s", type(exc).__name__)
        return
    if removed:
        context.log.info("Removed the work folders of %d dead runs.", removed)


def _positions(cursor: str | None) -> Mapping[str, str]:
    """Where each kind's sweep goes on; a cursor that cannot be read starts the rounds again."""
    try:
        positions = json.loads(cursor or "{}")
    except ValueError:
        return {}
    if not isinstance(positions, dict):
        return {}
    return {kind: position for kind, position in positions.items() if isinstance(position, str)}
