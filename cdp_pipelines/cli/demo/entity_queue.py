"""The demo's entity exports on their way into the queue: by hand, by a template, and by a schedule that is due.

Belongs here: how each comes to be asked for. Not here: what is asked for (`local/demo_export_requests.py`), and what
becomes of it (`entity_run.py`).
"""

import os
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from cdp_pipelines.cli.demo.entity_outcome import EntityOutcome
from cdp_pipelines.domain.errors import PermanentFailure

if TYPE_CHECKING:
    from datetime import datetime

    from cdp_pipelines.local.demo_export_specs import EntityExportSpec
    from cdp_pipelines.pipelines.entity_export.services import EntityServices

_ZONE: Final = "Asia/Jakarta"
_MOST_MINUTES: Final = 60


def clear_the_way(services: "EntityServices") -> None:
    """End what an interrupted demo left in the queue, stop its schedules, and have nothing served by its files.

    Called while no daemon of the demo runs. These are the demo's own companies on local servers.
    """
    from cdp_pipelines.domain.entity_export.delivery import OPEN_STATUSES
    from cdp_pipelines.local.demo_chinook import CHINOOK_COMPANY_SSO_ID
    from cdp_pipelines.local.demo_companies import COMPANIES
    from cdp_pipelines.local.demo_export_requests import NOBODY_COMPANY_SSO_ID
    from cdp_pipelines.pipelines.entity_export.conclude import cancel
    from cdp_pipelines.stores.errors import translating

    companies = [*(each.company_sso_id for each in COMPANIES), CHINOOK_COMPANY_SSO_ID, NOBODY_COMPANY_SSO_ID]
    with translating("making room for the demo"):
        exports = services.database["exports"]
        left = list(exports.find({"company_sso_id": {"$in": companies}, "status": {"$in": list(OPEN_STATUSES)}}))
        exports.update_many({"company_sso_id": {"$in": companies}}, {"$unset": {"cache": ""}})
    for document in left:
        cancel(services, document)
    for company in companies:
        for schedule in services.schedules.list(company):
            services.schedules.remove(company, schedule["name"])


def queue_requests(services: "EntityServices", *, scale: float) -> list[EntityOutcome]:
    """Have each asked for; only what repeats another waits until `queue_repeats`."""
    from cdp_pipelines.local.api_records import hook_path
    from cdp_pipelines.local.demo_chinook import chinook_file
    from cdp_pipelines.local.demo_companies import BIG
    from cdp_pipelines.local.demo_export_requests import demo_export_requests

    specs = demo_export_requests(
        now=services.now(),
        scale=scale,
        chinook=chinook_file(),
        webhook_url=os.environ["NOTIFICATION_API_ROOT_URL"] + hook_path(BIG.company_sso_id),
    )
    return [_ask(services, spec) for spec in specs]


def queue_repeats(services: "EntityServices", outcomes: list[EntityOutcome]) -> None:
    """Queue what repeats an export that has ended by now."""
    by_id = {outcome.export_id: outcome for outcome in outcomes}
    for outcome in outcomes:
        repeated = by_id.get(outcome.spec.repeats or "")
        if not outcome.queued and repeated is not None and repeated.ended:
            now = services.now()
            services.jobs.insert({**outcome.spec.document, "created_at": now, "updated_at": now})
            outcome.queued = True


def _ask(services: "EntityServices", spec: "EntityExportSpec") -> EntityOutcome:
    document, company = spec.document, str(spec.document["company_sso_id"])
    if spec.template is not None:
        services.templates.save(
            company,
            spec.template.name,
            exported_object=spec.template.exported_object,
            parameters=spec.template.parameters,
            saved_by=str(document["user_sso_id"]),
            now=services.now(),
        )
    if spec.schedule is not None:
        asked = {**document, "id": _schedule(services, spec, spec.schedule)}
        return EntityOutcome(replace(spec, document=asked), asked)
    if spec.repeats is None:
        services.jobs.insert(document)
    return EntityOutcome(spec, document, queued=spec.repeats is None)


def _schedule(services: "EntityServices", spec: "EntityExportSpec", name: str) -> str:
    """Save a daily schedule that is due at this minute, and return the id of the export that it will ask for."""
    from cdp_pipelines.domain.entity_export.schedules import ScheduleDraft, export_id
    from cdp_pipelines.stores.export_schedules import schedule_id

    document, company = spec.document, str(spec.document["company_sso_id"])
    slot = services.now().replace(second=0, microsecond=0)
    for _ in range(_MOST_MINUTES):
        asked = export_id(schedule_id(company, name), slot)
        if services.jobs.find(asked, company_sso_id=company) is None:
            draft = ScheduleDraft(
                name=name,
                exported_object=str(document["exported_object"]),
                parameters=document["parameters"],
                cron=_daily_at(slot),
                timezone=_ZONE,
                user_sso_id=str(document["user_sso_id"]),
                email=document.get("email"),
                locale=document.get("locale"),
            )
            # As if saved just before its time had come.
            services.schedules.save(company, draft, now=slot - timedelta(seconds=1))
            return asked
        # A demo of this very minute has used it: a slot asks once, however often its schedule is made anew.
        slot -= timedelta(minutes=1)
    raise PermanentFailure("DEMO_SCHEDULE_USED", "Every minute of the last hour was used by demos. Wait a minute.")


def _daily_at(slot: "datetime") -> str:
    from zoneinfo import ZoneInfo

    local = slot.astimezone(ZoneInfo(_ZONE))
    return f"{local.minute} {local.hour} * * *"
