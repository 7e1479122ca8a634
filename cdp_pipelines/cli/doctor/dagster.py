"""Is Dagster's storage there, is it set up, and does a daemon take requests from the queue?"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cdp_pipelines.cli.doctor.findings import Finding, Findings
from cdp_pipelines.cli.output import mask_uri
from cdp_pipelines.domain.errors import TransientFailure

if TYPE_CHECKING:
    from dagster import DagsterInstance

_CONNECT_SECONDS: Final = 5
_SILENT_SECONDS: Final = 120.0
"""Daemons write a heartbeat every 30 seconds."""
_NEEDED_DAEMONS: Final = ("SENSOR", "QUEUED_RUN_COORDINATOR")
_START_DAEMON: Final = "Start it with this environment: dagster-daemon run -m cdp_pipelines.definitions"


def check_dagster(findings: Findings) -> Iterator[Finding]:
    """Postgres, `DAGSTER_HOME`, `dagster.yaml`, heartbeats."""
    from cdp_pipelines.resources.environment import required_setting

    yield _storage(findings, required_setting("DAGSTER_PG_URL"))
    home = required_setting("DAGSTER_HOME")
    settings = Path(home) / "dagster.yaml"
    if not settings.is_file():
        yield findings.broken(
            "dagster.yaml", f"there is none in DAGSTER_HOME ({home})", "Put this project's dagster.yaml there."
        )
        return
    yield from _instance(findings, settings)


def _storage(findings: Findings, url: str) -> Finding:
    import psycopg2  # type: ignore[import-untyped]  # it brings no types

    try:
        connection = psycopg2.connect(url, connect_timeout=_CONNECT_SECONDS)
    except psycopg2.Error as exc:
        # The driver's text names the user; its kind and the masked address say enough.
        raise TransientFailure(
            "DAGSTER_STORAGE_UNAVAILABLE",
            f"PostgreSQL at {mask_uri(url)} did not let us in ({type(exc).__name__}). Check DAGSTER_PG_URL.",
        ) from exc
    try:
        version = connection.server_version
    finally:
        connection.close()
    return findings.ok("storage", f"PostgreSQL {version // 10_000} at {mask_uri(url)}")


def _instance(findings: Findings, settings: Path) -> Iterator[Finding]:
    from dagster import DagsterError, DagsterInstance

    try:
        instance = DagsterInstance.get()
    except (DagsterError, ValueError, OSError) as exc:
        yield findings.broken(
            "dagster.yaml", f"{settings} does not load ({type(exc).__name__})", "Try: dagster instance info"
        )
        return
    with instance:
        kind = type(instance.run_coordinator).__name__
        if "Queued" in kind:
            yield findings.ok("dagster.yaml", f"loads; runs are queued ({kind})")
        else:
            yield findings.note("dagster.yaml", f"loads; {kind}", "Without QueuedRunCoordinator no limits hold.")
        if not os.environ.get("DAGSTER_PG_URL", "") or "postgres" not in type(instance.run_storage).__name__.lower():
            yield findings.note("run storage", type(instance.run_storage).__name__, "Use Postgres in production.")
        yield from _daemons(findings, instance)


def _daemons(findings: Findings, instance: "DagsterInstance") -> Iterator[Finding]:
    heartbeats = instance.get_daemon_heartbeats()
    for name in _NEEDED_DAEMONS:
        heartbeat = heartbeats.get(name)
        label = f"daemon {name.lower()}"
        if heartbeat is None:
            yield findings.broken(label, "never ran: requests stay in the queue", _START_DAEMON)
            continue
        age = time.time() - heartbeat.timestamp
        if age > _SILENT_SECONDS:
            yield findings.broken(label, f"silent for {age:.0f} s: requests stay in the queue", _START_DAEMON)
        elif heartbeat.errors:
            yield findings.note(label, f"{len(heartbeat.errors)} errors lately", "See the daemon's log.")
        else:
            yield findings.ok(label, f"heard {max(age, 0):.0f} s ago")
