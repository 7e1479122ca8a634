"""The demo CRM's rows: the same every time, texts as Psych writes them, and every case of SPEC 5.2 in its share."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from cdp_pipelines.local.crm_schema import AUDIT_COLUMNS
from cdp_pipelines.local.demo_companies import BIG, COMPANIES, EMPTY, MEDIUM, RHEINLAND, SMALL
from cdp_pipelines.local.demo_contacts import DEMO_SEED, iter_contact_keys, iter_contacts
from cdp_pipelines.local.demo_crm_audits import (
    DEFAULT_LOCALES,
    INFINITY,
    MINUS_INFINITY,
    AuditPlan,
    AuditRow,
    LateAudit,
    iter_audit_rows,
)
from cdp_pipelines.local.demo_crm_clock import microseconds, postgres_timestamp
from cdp_pipelines.local.demo_crm_feed import ASSOCIATION_ACTIONS, feed_documents
from cdp_pipelines.local.demo_crm_people import DemoUsers, PersonWatermark, pools_of
from cdp_pipelines.local.demo_crm_rosters import Roster, demo_roster, roster_version
from cdp_pipelines.local.demo_crm_shapes import COMPANY_SHAPES, CrmShape
from cdp_pipelines.local.demo_crm_stories import catalogue
from cdp_pipelines.local.demo_crm_yaml import Plain, Tagged, big_decimal, changes_text, utc_time, zoned_time
from cdp_pipelines.local.http_apis import Neighbours

SCALE = 0.05
NO_TIMES = (None, INFINITY, MINUS_INFINITY)
UNMAPPED = {"Crm::Pipeline", "Product", "Crm::Quotation"}


class _AnyTag(yaml.CSafeLoader):
    """Reads every tag as its plain value, and every scalar as its text: an independent reader, slow and trusting."""


def _plain(loader: yaml.CSafeLoader, _tag: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    return loader.construct_sequence(node, deep=True) if isinstance(node, yaml.SequenceNode) else node.value


_AnyTag.yaml_implicit_resolvers = {}
_AnyTag.add_multi_constructor("", _plain)


@cache
def _read(text: str) -> dict[str, Any]:
    value = json.loads(text) if text.startswith("{") else yaml.load(text, _AnyTag)
    if not isinstance(value, dict):
        raise yaml.YAMLError("no mapping")
    return value


def _is_readable(text: str) -> bool:
    try:
        _read(text)
    except (ValueError, yaml.YAMLError):
        return False
    return True


def _record(row: AuditRow) -> dict[str, Any]:
    return dict(zip(AUDIT_COLUMNS, row, strict=True))


def _person(record: dict[str, Any]) -> int | None:
    """Who an audit is about, worked out from the row alone."""
    try:
        named = json.loads(record["comment"] or "")["crm_person_id"]
    except (ValueError, TypeError, KeyError):
        named = None
    if named is not None:
        return int(named)
    if record["auditable_type"] == "Crm::Person":
        return int(record["auditable_id"])
    value = _read(record["audited_changes"]).get("crm_person_id")
    value = value[1] if isinstance(value, list) else value
    return None if value is None else int(value)


@pytest.fixture(scope="module")
def plan() -> AuditPlan:
    first = microseconds(datetime(2024, 1, 1, tzinfo=UTC))
    people = [PersonWatermark(5_000 + number, first + number * 86_400_000_000) for number in range(300)]
    shape = CrmShape(foreign=4, invalid_timestamps=6, seed=7)
    return AuditPlan(
        organization_id=4_321,
        people=people,
        audits=12_000,
        shape=shape,
        strangers=(9_001, 9_002),
        foreign_people=(7_001, 7_002),
    )


@pytest.fixture(scope="module")
def records(plan: AuditPlan) -> list[dict[str, Any]]:
    return [_record(row) for row in iter_audit_rows(plan)]


@pytest.fixture(scope="module")
def rosters() -> dict[str, Roster]:
    made = {company.slug: demo_roster(company, SCALE) for company in COMPANIES}
    return {slug: roster for slug, roster in made.items() if roster is not None}


class TestTexts:
    def test_a_create_is_written_as_psych_does(self) -> None:
        # Ruby wrote this one (`create_all_column_types` of the shared corpus), but for `balance`, whose scale it keeps.
        confirmed = datetime(2020, 3, 1, 12, 34, 56, 789_000, tzinfo=UTC)
        zone = Tagged("!ruby/object:ActiveSupport::TimeZone", {"name": "America/New_York"})
        zoned = {"utc": utc_time(confirmed), "zone": zone, "time": utc_time(confirmed - timedelta(hours=5))}
        assert changes_text({
            "first_name": "Ann", "email": "ann@example.com", "notes": "line one\nline two\n", "subscribed": True,
            "status": 0, "score": 1.5, "balance": big_decimal(Decimal("10.50")), "birthday": date(1980, 2, 29),
            "confirmed_at": Tagged("!ruby/object:ActiveSupport::TimeWithZone", zoned),
            "custom_fields": {Plain(":plan"): Plain(":gold"), "seats": [1, None, True]}, "tags": ["vip", "x: y"],
            "api_token": "[REDACTED]", "zip": "01234", "phone": "+15551234567", "empty": None,
        }) == (
            "---\nfirst_name: Ann\nemail: ann@example.com\nnotes: |\n  line one\n  line two\nsubscribed: true\n"
            "status: 0\nscore: 1.5\nbalance: !ruby/object:BigDecimal 18:0.105e2\nbirthday: 1980-02-29\n"
            "confirmed_at: !ruby/object:ActiveSupport::TimeWithZone\n  utc: 2020-03-01 12:34:56.789000000 Z\n"
            "  zone: !ruby/object:ActiveSupport::TimeZone\n    name: America/New_York\n"
            "  time: 2020-03-01 07:34:56.789000000 Z\ncustom_fields:\n  :plan: :gold\n  seats:\n  - 1\n  -\n  - true\n"
            "tags:\n- vip\n- 'x: y'\napi_token: \"[REDACTED]\"\nzip: '01234'\nphone: \"+15551234567\"\nempty:\n"
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ([[], ["a", ["b"]]], "- []\n- - a\n  - - b\n"),
            ([None, {}], "-\n- {}\n"),
            (["Line 1\r\nLine 2"], '- "Line 1\\r\\nLine 2"\n'),
            (["ends with newlines\n\n\n", " leads\ntwo"], "- |+\n  ends with newlines\n\n\n- |2-\n   leads\n  two\n"),
            (["kopi ☕ 🙂", "コーヒー", "قهوة"], '- "kopi ☕ \\U0001F642"\n- コーヒー\n- قهوة\n'),
            (
                [":pending", "y", "yes", "1e3", "2020-01-01"],
                "- \":pending\"\n- \"y\"\n- 'yes'\n- 1e3\n- '2020-01-01'\n",
            ),
            (["it's: so", "", "a #b", "tail "], "- 'it''s: so'\n- ''\n- 'a #b'\n- 'tail '\n"),
        ],
    )
    def test_values_are_quoted_as_psych_does(self, value: list[Any], text: str) -> None:
        assert changes_text({"k": value}) == f"---\nk:\n{text}"

    def test_long_texts_are_folded_after_the_eightieth_column_and_read_back(self) -> None:
        words = "it: is " * 40
        text = changes_text({"bio": words})
        assert len(text.splitlines()) > 3
        assert yaml.safe_load(text) == {"bio": words}

    def test_a_second_time_in_a_text_refers_to_the_first_ones_zone(self) -> None:
        at = datetime(2022, 7, 14, 5, 41, 52, 142_873, tzinfo=UTC)
        pair = [zoned_time(at, "Asia/Jakarta", 7, anchor=1), zoned_time(at, "", 7, alias=1)]
        text = changes_text({"due_at": pair})
        assert "zone: &1 !ruby/object:ActiveSupport::TimeZone\n    name: Asia/Jakarta\n" in text
        assert text.count("zone: *1\n") == 1
        assert text.count("time: 2022-07-14 12:41:52.142873000 Z\n") == 2

    def test_every_text_but_the_unreadable_ones_can_be_read(self) -> None:
        known = catalogue(DEFAULT_LOCALES, DEMO_SEED)
        kinds = {id(kind): kind for stages in known.stages.values() for kind in chain(*stages)}
        templates = [template for kind in (*kinds.values(), *known.unmapped) for template in kind.texts]
        assert len(templates) > 2_000
        assert [text for template in templates if not _is_readable(text := template.filled(42))] == []
        assert [template.head for template in known.unreadable if _is_readable(template.head)] == []

    def test_every_shape_of_the_specification_is_there(self) -> None:
        known = catalogue(DEFAULT_LOCALES, DEMO_SEED)
        kinds = {id(kind): kind for stages in known.stages.values() for kind in chain(*stages)}
        everything = "\n".join(template.filled(42) for kind in kinds.values() for template in kind.texts)
        for part in (
            "--- {}\n", "!ruby/object:ActiveSupport::TimeWithZone", "zone: *1", "!ruby/object:BigDecimal 18:",
            "!ruby/hash:ActiveSupport::HashWithIndifferentAccess", ":plan: :gold", '":pending"', ": &1 ", "- *1",
            "0000-00-00", "2020-02-30", "10:20:30:40", "- 1_\n", "1e3", "[REDACTED]", "[FILTERED]", "\\r\\n", "|2-",
            "|+", "!binary |-", "!ruby/range", "- []", '{"name": ["', "- \n- 2017-12-09", "\\U0001F", "يل", "。",
        ):  # fmt: skip
            assert part in everything, part


class TestAudits:
    def test_the_same_plan_gives_the_same_rows(self, plan: AuditPlan, records: list[dict[str, Any]]) -> None:
        again = [_record(row) for row in iter_audit_rows(replace(plan), late=[])]
        assert again == records
        other = replace(plan, shape=replace(plan.shape, seed=8), audits=50)
        assert [_record(row) for row in iter_audit_rows(other)] != records[:50]

    def test_ids_ascend_and_times_nearly_do(self, plan: AuditPlan, records: list[dict[str, Any]]) -> None:
        assert [record["id"] for record in records] == list(range(1, plan.audits + 1))
        times = [record["created_at"] for record in records if record["created_at"] not in NO_TIMES]
        back = sum(later < earlier for earlier, later in pairwise(times))
        assert 0 < back < len(times) / 3
        tenths = [times[len(times) * tenth // 10] for tenth in range(10)]
        assert tenths == sorted(tenths)

    def test_a_wider_spread_leaves_room_between_ids(self, plan: AuditPlan) -> None:
        apart = replace(plan, audits=10, spread=25, id_step=16, first_audit_id=1_003)
        ids = [row[0] for row in iter_audit_rows(apart)]
        assert ids == [1_003 + 16 * (number * 25 // 10) for number in range(10)]
        with pytest.raises(ValueError, match="too narrow"):
            replace(plan, spread=plan.audits - 1)

    def test_nobody_to_be_about_is_refused_and_no_audits_are_none(self, plan: AuditPlan) -> None:
        with pytest.raises(ValueError, match="need people"):
            replace(plan, people=())
        assert list(iter_audit_rows(replace(plan, people=(), audits=0))) == []

    def test_one_person_alone_can_have_audits(self, plan: AuditPlan) -> None:
        alone = replace(plan, people=plan.people[:1], audits=300, strangers=(), foreign_people=())
        people = {_person(_record(row)) for row in iter_audit_rows(alone) if row[3] not in UNMAPPED}
        assert plan.people[0].person_id in people

    def test_every_outcome_comes_in_its_share(self, plan: AuditPlan, records: list[dict[str, Any]]) -> None:
        watermarks = {person.person_id: postgres_timestamp(person.watermark) for person in plan.people}
        outcomes = Counter(_outcome(record, watermarks) for record in records)
        shape, total = plan.shape, plan.audits
        for outcome, share in {
            "unmapped": shape.unmapped,
            "late": shape.after_watermark,
            "unreadable": shape.unreadable * (1 - shape.after_watermark),
            "stranger": shape.strangers,
            "nobody": shape.nobody,
        }.items():
            assert 0.6 * share < outcomes[outcome] / total < 1.5 * share, outcome
        assert outcomes["foreign"] == shape.foreign
        assert outcomes["no time"] == shape.invalid_timestamps
        assert outcomes["ordinary"] > 0.85 * total

    def test_times_that_are_none(self, records: list[dict[str, Any]]) -> None:
        times = Counter(record["created_at"] for record in records)
        assert [times[value] for value in NO_TIMES] == [2, 2, 2]

    def test_some_are_at_the_very_watermark_and_just_before(
        self, plan: AuditPlan, records: list[dict[str, Any]]
    ) -> None:
        seconds = {postgres_timestamp(person.watermark + off): off for person in plan.people for off in (-1, 0, 1)}
        assert {seconds[record["created_at"]] for record in records if record["created_at"] in seconds} == {-1, 0, 1}

    def test_everybody_gets_about_as_many(self, plan: AuditPlan, records: list[dict[str, Any]]) -> None:
        counts = Counter(
            _person(record)
            for record in records
            if record["auditable_type"] not in UNMAPPED and _is_readable(record["audited_changes"])
        )
        per_person = [counts[person.person_id] for person in plan.people]
        assert min(per_person) > 10
        assert max(per_person) < 100

    def test_every_type_of_record_and_every_action(self, records: list[dict[str, Any]]) -> None:
        actions: dict[str, set[str]] = {}
        for record in records:
            actions.setdefault(record["auditable_type"], set()).add(record["action"])
        three, joined = {"create", "update", "destroy"}, {"create", "destroy"}
        for name in ("Crm::Person", "Crm::Deal", "Crm::Company", "Ticket", "Crm::Task", "Crm::Note"):
            assert actions.pop(name) >= three - {"destroy"}, name
        for name in ("Crm::PeopleDeal", "Crm::PeopleCompany", "Crm::PeopleTicket", "Crm::PeopleTask"):
            assert actions.pop(name) == joined, name
        assert set(actions) == UNMAPPED

    @pytest.mark.parametrize(
        ("auditable_type", "column", "ends"),
        [
            ("Ticket", "ticket_status_id", {4, 5}),
            ("Crm::Deal", "crm_stage_id", {90, 91}),
            ("Crm::Task", "crm_task_status_id", {3}),
        ],
    )
    def test_statuses_move_to_their_ends_and_elsewhere(
        self, auditable_type: str, column: str, ends: set[int], records: list[dict[str, Any]]
    ) -> None:
        moves: Counter[int] = Counter()
        for record in records:
            if (record["auditable_type"], record["action"]) == (auditable_type, "update"):
                value = (
                    _read(record["audited_changes"]).get(column) if _is_readable(record["audited_changes"]) else None
                )
                if isinstance(value, list):
                    moves[int(value[1])] += 1
        assert ends <= set(moves)
        assert set(moves) - ends

    def test_users_are_live_deleted_unknown_missing_and_none(self, records: list[dict[str, Any]]) -> None:
        users = DemoUsers(4_321, 24)
        rows = {row[0]: row for row in users.rows(pools_of(["id_ID"]), "slug")}
        kinds = Counter(_actor(record["user_id"], rows) for record in records)
        assert set(kinds) == {"none", "missing", "deleted", "unknown", "no email", "live"}
        assert kinds["live"] > len(records) / 2
        assert all((record["user_type"] == "User") == (record["user_id"] is not None) for record in records)

    def test_comments_are_json_words_broken_and_none(self, records: list[dict[str, Any]]) -> None:
        comments = {record["comment"] for record in records}
        assert {None, "Diubah oleh sistem", '{"crm_person_id": ', '{"crm_person_id": null}', "[1, 2]"} <= comments
        assert any('"crm_person_id": 5' in (comment or "") for comment in comments)

    def test_some_join_rows_name_their_record_only_as_associated(self, records: list[dict[str, Any]]) -> None:
        rows = [record for record in records if record["associated_id"] is not None]
        assert {record["associated_type"] for record in rows} == {"Crm::Deal", "Crm::Company", "Ticket", "Crm::Task"}
        assert all(list(_read(record["audited_changes"])) == ["crm_person_id"] for record in rows)

    def test_late_audits_are_told(self, plan: AuditPlan) -> None:
        late: list[LateAudit] = []
        rows = {row[0]: _record(row) for row in iter_audit_rows(plan, late=late)}
        watermarks = {person.person_id: postgres_timestamp(person.watermark) for person in plan.people}
        assert late
        for audit in late:
            assert _outcome(rows[audit.audit_id], watermarks) == "late"
            assert _person(rows[audit.audit_id]) == audit.person_id
            assert postgres_timestamp(microseconds(audit.at)) == rows[audit.audit_id]["created_at"]


def _outcome(record: dict[str, Any], watermarks: dict[int, int]) -> str:
    if record["auditable_type"] in UNMAPPED:
        return "unmapped"
    readable = _is_readable(record["audited_changes"])
    person = _person(record)
    if person not in watermarks:
        return {None: "nobody", 9_001: "stranger", 9_002: "stranger"}.get(person, "foreign")
    if record["created_at"] in NO_TIMES:
        return "no time"
    if record["created_at"] >= watermarks[person]:
        return "late"
    return "ordinary" if readable else "unreadable"


def _actor(user_id: int | None, rows: dict[Any, tuple[Any, ...]]) -> str:
    if user_id is None:
        return "none"
    if user_id not in rows:
        return "missing"
    _, email, _, deleted_at, _ = rows[user_id]
    if deleted_at is not None:
        return "deleted"
    return "no email" if email is None else "unknown" if email.endswith("@unknown.example") else "live"


class TestDemoCompanies:
    @pytest.mark.parametrize("company", [BIG, SMALL], ids=lambda company: company.slug)
    def test_contact_keys_are_those_of_the_contacts(self, company: Any) -> None:
        keys = list(iter_contact_keys(company, 80, start=20))
        for key, contact in zip(keys, iter_contacts(company, 80, start=20), strict=True):
            assert key.contact_id == str(contact["_id"])
            assert key.created_at == contact["created_at"]
            assert contact.get("crm_data") == (None if key.crm_id is None else {"id": str(key.crm_id)})

    def test_no_two_people_or_audits_share_an_id(self, rosters: dict[str, Roster]) -> None:
        for ids in (
            [row[0] for roster in rosters.values() for row in roster.people],
            [roster.plan.audit_id(number) for roster in rosters.values() for number in range(roster.plan.audits)],
        ):
            assert len(set(ids)) == len(ids) > 1_000

    def test_ids_of_the_companies_interleave(self, rosters: dict[str, Roster]) -> None:
        plans = [roster.plan for roster in rosters.values() if roster.plan.audits > 20]
        assert len(plans) > 3
        first, last = max(plan.audit_id(0) for plan in plans), min(plan.audit_id(plan.audits - 1) for plan in plans)
        assert all(plan.audit_id(0) < last and plan.audit_id(plan.audits - 1) > first for plan in plans)

    def test_who_has_a_crm(self, rosters: dict[str, Roster]) -> None:
        assert set(rosters) == {company.slug for company in COMPANIES if company is not EMPTY}
        assert set(COMPANY_SHAPES) == set(rosters)

    @pytest.mark.parametrize(
        ("company", "lowest", "highest"),
        [(BIG, 0.9945, 0.9975), (MEDIUM, 0.991, 0.998), (RHEINLAND, 0.90, 0.935), (SMALL, 1.0, 1.0)],
        ids=lambda value: getattr(value, "slug", ""),
    )
    def test_coverage(self, company: Any, lowest: float, highest: float, rosters: dict[str, Roster]) -> None:
        roster = rosters[company.slug]
        live = [row[0] for row in roster.people if row[3] is None]
        covered = sum(person in roster.contacts for person in live)
        assert lowest <= covered / len(live) <= highest

    def test_the_company_that_the_gate_refuses_has_its_switch_on(self) -> None:
        assert (RHEINLAND.features or {})["crm_activity_logs_migration_enabled"] is True

    def test_the_smallest_company_is_clean_and_its_timelines_long(self, rosters: dict[str, Roster]) -> None:
        roster = rosters[SMALL.slug]
        records = [_record(row) for row in iter_audit_rows(roster.plan)]
        watermarks = {person.person_id: postgres_timestamp(person.watermark) for person in roster.plan.people}
        outcomes = Counter(_outcome(record, watermarks) for record in records)
        assert set(outcomes) == {"ordinary", "late"}
        assert min(Counter(map(_person, records)).values()) >= 20

    def test_foreign_people_are_real_contacts_of_another_company(self, rosters: dict[str, Roster]) -> None:
        for roster in rosters.values():
            foreign = set(roster.plan.foreign_people)
            assert foreign
            assert not foreign & set(roster.contacts)
            assert any(foreign <= set(other.contacts) for other in rosters.values())

    def test_another_scale_is_another_version(self) -> None:
        assert roster_version(SMALL, 1.0) == roster_version(SMALL, 1.0) != roster_version(SMALL, 0.5)


class TestLiveFeed:
    @pytest.fixture
    def late(self) -> list[LateAudit]:
        at = datetime(2025, 2, 3, 4, 5, 6, 789_123, tzinfo=UTC)
        actions = ("link", "unlink", "resolved", "update")
        return [LateAudit(number, 5, "ticket", actions[number % 4], "ticket", 6, at) for number in range(2_000)]

    @staticmethod
    def _documents(late: list[LateAudit], company: str = "a") -> list[dict[str, Any]]:
        contact_of: Callable[[int], str] = "{:024x}".format
        return list(
            feed_documents(
                late,
                company_sso_id=company,
                share=0.5,
                contact_of=contact_of,
                name_of=lambda audit: "Keluhan",
                actor={"id": "1", "name": "Sari"},
            )
        )

    def test_half_is_there_under_the_same_ids_every_time(self, late: list[LateAudit]) -> None:
        documents = self._documents(late)
        assert documents == self._documents(late)
        assert 0.4 < len(documents) / len(late) < 0.65
        ids = {document["_id"] for document in chain(documents, self._documents(late, "b"))}
        assert len(ids) == len(documents) + len(self._documents(late, "b"))

    def test_native_documents_look_native(self, late: list[LateAudit]) -> None:
        for document in self._documents(late):
            assert "external_id" not in document
            assert "source_tag" not in document
            assert document["source"] == "crm"
            assert timedelta(milliseconds=-1) <= document["timestamp"] - late[0].at < timedelta(seconds=2)
            assert document["timestamp"].microsecond % 1_000 == 0

    def test_only_association_logs_lack_something(self, late: list[LateAudit]) -> None:
        lacking = Counter(
            (document["action"] in ASSOCIATION_ACTIONS, key)
            for document in self._documents(late)
            for key in ("entity_name", "crm_person_id", "entity_id")
            if key not in document["metadata"]
        )
        assert {key for _, key in lacking} == {"entity_name", "crm_person_id", "entity_id"}
        assert all(is_association for is_association, _ in lacking)

    def test_some_logs_come_twice_within_the_tolerance(self, late: list[LateAudit]) -> None:
        alone = [len(self._documents([audit])) for audit in late]
        assert 0 < alone.count(2) < len(late) / 10
        for audit in late:
            documents = self._documents([audit])
            assert all(abs(document["timestamp"] - audit.at) < timedelta(seconds=2) for document in documents)
            assert len({document["metadata"].get("entity_id") for document in documents}) <= 1


class TestLaunchpadFake:
    @pytest.fixture
    def neighbours(self, tmp_path: Path) -> Neighbours:
        return Neighbours(tmp_path / "records.jsonl", {})

    def test_everybody_is_known_but_those_of_one_domain(self, neighbours: Neighbours) -> None:
        emails = ["user7@Unknown.Example", "user1@tugu.example"]
        status, answer = neighbours.answer("/GetUsersByEmails", {"company_sso_id": "a", "emails": emails})
        assert status == 200
        assert isinstance(answer, dict)
        assert [user["email"] for user in answer["users"]] == ["user1@tugu.example"]
