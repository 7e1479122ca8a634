"""Is the CDP's MongoDB there, fit, and prepared?"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from cdp_pipelines.cli.doctor.findings import Finding, Findings
from cdp_pipelines.cli.output import mask_uri

if TYPE_CHECKING:
    from pymongo.database import Database

OLDEST_VERSION: Final = (6, 0)
_PINGS: Final = 5
_SLOW_MILLISECONDS: Final = 50
_CLOCK_SECONDS: Final = 5


def check_mongo(findings: Findings) -> Iterator[Finding]:
    """Settings, reach, latency, version, kind, clock, migrations."""
    from cdp_pipelines.resources.cdp_mongo import connect
    from cdp_pipelines.resources.environment import required_setting
    from cdp_pipelines.stores.errors import translating

    uri, name = required_setting("CDP_MONGO_URI"), required_setting("CDP_MONGO_DB")
    with connect(uri) as client:
        with translating("asking whether it is there"):
            client.admin.command("ping")
        yield findings.ok("reachable", f"{mask_uri(uri)} database {name}")
        with translating("measuring its latency"):
            yield _latency(findings, client)
        with translating("asking what it is"):
            yield from _server(findings, client)
        yield from _transport(findings, client, uri)
        yield from _migrations(findings, client[name])


def _latency(findings: Findings, client: Any) -> Finding:
    times = []
    for _ in range(_PINGS):
        begun = time.perf_counter()
        client.admin.command("ping")
        times.append((time.perf_counter() - begun) * 1_000)
    median = sorted(times)[_PINGS // 2]
    if median > _SLOW_MILLISECONDS:
        return findings.note("latency", f"{median:.0f} ms", "Run the code server nearer to MongoDB.")
    return findings.ok("latency", f"{median:.1f} ms")


def _server(findings: Findings, client: Any) -> Iterator[Finding]:
    build, hello = client.admin.command("buildInfo"), client.admin.command("hello")
    version = str(build.get("version", "unknown"))
    kind = _kind(build, hello)
    numbers = tuple(build.get("versionArray") or (0,))[:2]
    if numbers < OLDEST_VERSION:
        yield findings.broken("version", f"{version}, {kind}", "MongoDB 6.0 or later is needed.")
    else:
        yield findings.ok("version", f"{version}, {kind}")
    local_time = hello.get("localTime")
    if isinstance(local_time, datetime):
        aware = local_time if local_time.tzinfo else local_time.replace(tzinfo=UTC)
        skew = abs((datetime.now(UTC) - aware).total_seconds())
        if skew > _CLOCK_SECONDS:
            yield findings.note(
                "clock", f"{skew:.0f} s apart from ours", "Run NTP on both: leases and TTLs rest on it."
            )


def _kind(build: dict[str, Any], hello: dict[str, Any]) -> str:
    """Replica set, sharded or standalone; or the embedded server's name."""
    if "secantusVersion" in build:
        return f"SecantusDB {build['secantusVersion']} (embedded server, for development only)"
    if hello.get("msg") == "isdbgrid":
        return "sharded"
    return f"replica set {hello['setName']}" if hello.get("setName") else "standalone"


def _migrations(findings: Findings, database: "Database[dict[str, Any]]") -> Iterator[Finding]:
    from cdp_pipelines.stores.migrations.catalogue import MIGRATIONS
    from cdp_pipelines.stores.migrations.runner import Migrator

    pending = Migrator(database).pending()
    if pending:
        names = ", ".join(f"{migration.number:04d} {migration.name}" for migration in pending)
        yield findings.broken("migrations", f"missing: {names}", "Run: cdp migrate-indexes up")
    else:
        yield findings.ok("migrations", f"all {len(MIGRATIONS)} applied")


def _transport(findings: Findings, client: Any, uri: str) -> Iterator[Finding]:
    encrypted = uri.startswith("mongodb+srv://") or "tls=true" in uri.lower() or "ssl=true" in uri.lower()
    remote = {host for host, _ in client.nodes} - {"127.0.0.1", "localhost", "::1"}
    if remote and not encrypted:
        yield findings.note("encryption", "the connection is not encrypted", "Add tls=true to CDP_MONGO_URI.")
