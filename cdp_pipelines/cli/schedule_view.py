"""How a schedule of exports is shown, to people and as JSON; never the user's address or what filters compare with."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from cdp_pipelines.cli.entity_parameters import parameter_facts, parameter_lines, webhook_host
from cdp_pipelines.domain.timezones import resolve_timezone

if TYPE_CHECKING:
    from rich.table import Table

Document = Mapping[str, Any]

_FACTS: Final = (
    "company_sso_id", "name", "exported_object", "template", "cron", "timezone", "enabled", "next_run_at",
    "last_run_at", "last_slot", "last_export_id", "missed", "error", "user_sso_id", "created_at", "updated_at",
)  # fmt: skip


def schedule_facts(schedule: Document, last_status: str | None) -> dict[str, Any]:
    """What `--json` prints of a schedule; `last_status` is null where there was no export, or it is long gone.

    `next_run` is `next_run_at` on the schedule's clock, null while it is paused.
    """
    facts: dict[str, Any] = {"id": schedule.get("_id"), **{name: schedule.get(name) for name in _FACTS}}
    facts["next_run"] = local_time(schedule.get("next_run_at"), schedule.get("timezone")) if _runs(schedule) else None
    facts["last_status"] = last_status
    facts["parameters"] = parameter_facts(schedule)
    facts["webhook_host"] = webhook_host(schedule)
    return facts


def schedule_lines(schedule: Document, last_status: str | None) -> list[str]:
    """A schedule as lines of `name  value`; what is empty is left out."""
    facts = schedule_facts(schedule, last_status)
    shown: list[tuple[str, object]] = [
        ("name", facts["name"]),
        ("object", facts["exported_object"]),
        ("when", f"{facts['cron']} in {facts['timezone']}"),
        ("next run", next_run_text(schedule)),
        ("last slot", local_time(facts["last_slot"], facts["timezone"])),
        ("last export", " ".join(text for text in (facts["last_export_id"], last_status) if text)),
        ("missed", facts["missed"]),
        ("template", facts["template"]),
        *parameter_lines(schedule),
        ("webhook", facts["webhook_host"]),
        ("user", facts["user_sso_id"]),
        ("error", _error_text(schedule)),
    ]
    return [f"{name:<16} {value}" for name, value in shown if value]


def schedules_table(schedules: Sequence[Document], statuses: Mapping[object, str]) -> "Table":
    """Schedules in rows, in the order given; `statuses` by id of the last export."""
    from rich.table import Table
    from rich.text import Text

    from cdp_pipelines.cli.export_table import STATUS_STYLES

    table = Table(box=None, pad_edge=False)
    for name in ("name", "object", "when", "next run", "last export", "status", "missed", "error"):
        table.add_column(name, overflow="fold", justify="right" if name == "missed" else "left")
    for schedule in schedules:
        last = str(schedule.get("last_export_id") or "")
        status = statuses.get(last, "gone" if last else "")
        table.add_row(
            str(schedule.get("name")),
            str(schedule.get("exported_object")),
            f"{schedule.get('cron')} {schedule.get('timezone')}",
            next_run_text(schedule),
            last,
            Text(status, style=STATUS_STYLES.get(status, "")),
            str(schedule.get("missed") or ""),
            _error_text(schedule),
        )
    return table


def next_run_text(schedule: Document) -> str:
    """`2024-05-06 02:30 +07:00` on the schedule's clock, or `paused`, or `switched off` by an error."""
    if not _runs(schedule):
        return "switched off" if schedule.get("error") else "paused"
    return local_time(schedule.get("next_run_at"), schedule.get("timezone"))


def local_time(value: object, timezone: object) -> str:
    """An instant on a clock of this zone, with the offset; empty for anything else."""
    if not isinstance(value, datetime):
        return ""
    zone: ZoneInfo = resolve_timezone(timezone).zone
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    offset = f"{aware.astimezone(zone):%z}"
    return f"{aware.astimezone(zone):%Y-%m-%d %H:%M} {offset[:3]}:{offset[3:5]}"


def _runs(schedule: Document) -> bool:
    return schedule.get("enabled") is True


def _error_text(schedule: Document) -> str:
    error = schedule.get("error")
    return f"{error.get('code', '')}: {error.get('message', '')}" if isinstance(error, Mapping) else ""
