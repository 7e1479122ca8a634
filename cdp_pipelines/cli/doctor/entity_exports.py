"""Entity exports: are their knobs right, and can the webhooks that companies ask for be signed?"""

import os
from collections.abc import Iterator
from typing import Any

from cdp_pipelines.cli.doctor.findings import Finding, Findings
from cdp_pipelines.cli.output import size_text


def check_entity_exports(findings: Findings) -> Iterator[Finding]:
    """Limits as they are in force; the key that signs webhooks, which is needed once somebody asks for one."""
    from cdp_pipelines.resources.entity_export_limits import EntityExportLimitsResource

    yield from _webhooks(findings)
    limits = EntityExportLimitsResource()
    yield findings.ok("pages", f"{limits.rows_a_page():,} rows at once")
    yield findings.ok("parts", f"files go on in a further one at {size_text(limits.bytes_a_part())}")
    links, files = limits.link_seconds(), limits.file_seconds()
    if links > files:
        yield findings.note(
            "life", f"links {links:,} s, files only {files:,} s", "Set CDP_EXPORT_URL_TTL below CDP_EXPORT_FILE_TTL."
        )
    else:
        yield findings.ok("life", f"links {links:,} s, files {files:,} s")


def _webhooks(findings: Findings) -> Iterator[Finding]:
    from cdp_pipelines.resources.webhooks import KEY_SETTING, WebhooksResource

    webhooks = WebhooksResource()
    advice = f"Set {KEY_SETTING}, such as openssl rand -base64 32 gives, and keep it: it makes every company's secret."
    if os.environ.get(KEY_SETTING):
        problem, trusted = webhooks.setup_problem(), len(webhooks.trusted())
        if problem is not None:
            yield findings.broken("webhooks", problem, advice)
        else:
            yield findings.ok("webhooks", "can be signed" + (f"; hosts trusted: {trusted}" if trusted else ""))
    elif _are_asked_for():
        yield findings.broken("webhooks", "off, but exports or schedules name some: these are refused", advice)
    else:
        yield findings.note("webhooks", "off: a request that names one is refused", advice)


def _are_asked_for() -> bool:
    """Whether an export that is kept, or a schedule that is on, names a webhook; no, where there is no database."""
    from cdp_pipelines.resources.cdp_mongo import CdpMongoResource
    from cdp_pipelines.stores.errors import translating

    if not os.environ.get("CDP_MONGO_URI"):
        return False
    mongo = CdpMongoResource()
    try:
        with translating("looking for webhooks"):
            database = mongo.database()
            named: dict[str, Any] = {"webhook": {"$nin": [None, "", {}]}}
            return any(
                database[collection].find_one({**query, **named}, {"_id": 1}) is not None
                for collection, query in (("export_schedules", {"enabled": True}), ("exports", {}))
            )
    finally:
        mongo.close()
