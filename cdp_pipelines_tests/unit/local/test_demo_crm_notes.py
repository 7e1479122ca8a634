"""The demo CRM's notes: the same every time, and every case of SPEC 6 in its share."""

import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from html import unescape
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import pytest

from cdp_pipelines.local import crm_files
from cdp_pipelines.local.crm_files import file_reply
from cdp_pipelines.local.crm_notes_schema import FILE_COLUMNS, FILE_TABLES, NOTE_COLUMNS
from cdp_pipelines.local.demo_companies import BIG, COMPANIES, EMPTY, FLAG_OFF, MEDIUM, SMALL, DemoCompany
from cdp_pipelines.local.demo_crm_audits import INFINITY
from cdp_pipelines.local.demo_crm_clock import microseconds, postgres_timestamp
from cdp_pipelines.local.demo_crm_note_files import note_file_rows, spread_file_rows
from cdp_pipelines.local.demo_crm_note_hostile import HOSTILE
from cdp_pipelines.local.demo_crm_note_shapes import NOTES_SHAPES
from cdp_pipelines.local.demo_crm_notes import NotesPlan, iter_note_rows, lay_out
from cdp_pipelines.local.demo_crm_notes_load import bulk_notes_plan, demo_notes_plan, notes_version
from cdp_pipelines.local.demo_crm_people import DemoUsers, Row, pools_of
from cdp_pipelines.local.demo_crm_rosters import demo_roster
from cdp_pipelines.local.demo_crm_shapes import COMPANY_SHAPES

ROOT = "http://127.0.0.1:8080"
IN_SCOPE = (1, 6)
BATCH = 500
LAST = postgres_timestamp(microseconds(datetime(2025, 12, 20, tzinfo=UTC)))
MENTION = re.compile(r'<a class="mention" data-user-id="(\d+)"|<a href="https://crm\.example/users/(\d+)/edit_user"')
Record = dict[str, Any]


class Notes:
    """A company's plan, rows and files."""

    def __init__(self, company: DemoCompany, scale: float) -> None:
        roster = demo_roster(company, scale)
        assert roster is not None
        self.contacts = set(roster.contacts)
        self.strangers = set(roster.plan.strangers)
        self.plan = demo_notes_plan(company, roster, scale)
        self.checkins: list[Row] = []
        self.rows = _records(self.plan, self.checkins)
        self.files = _files(note_file_rows(self.plan, lay_out(self.plan), ROOT))

    def of_people(self) -> list[Record]:
        return [row for row in self.rows if row["crm_person_id"] is not None]

    def outcome(self, row: Record) -> str:
        """What becomes of a note, worked out from the row alone."""
        if row["crm_person_id"] is None:
            return "elsewhere"
        if row["deleted_at"] is not None:
            return "deleted"
        if row["crm_note_type_id"] not in IN_SCOPE:
            return "out of scope"
        if row["crm_person_id"] not in self.contacts:
            return "stranger" if row["crm_person_id"] in self.strangers else "foreign"
        if INFINITY in (row["created_at"], row["updated_at"]):
            return "infinity"
        return "long" if len(_visible(row["note"])) > 10_000 else "good"


def _records(plan: NotesPlan, checkins: list[Row] | None = None) -> list[Record]:
    return [dict(zip(NOTE_COLUMNS, row, strict=True)) for row in iter_note_rows(plan, checkins=checkins)]


def _files(rows: dict[str, list[Row]]) -> list[Record]:
    return [
        {"table": table, **dict(zip(FILE_COLUMNS, row, strict=True))} for table, found in rows.items() for row in found
    ]


def _visible(html: str | None) -> str:
    return unescape(re.sub(r"<[^>]*>", "", html or ""))


def _failing(outcomes: Counter[str]) -> int:
    return sum(outcomes[reason] for reason in ("stranger", "foreign", "infinity", "long"))


@cache
def _notes(slug: str, scale: float) -> Notes:
    (company,) = [company for company in COMPANIES if company.slug == slug]
    return Notes(company, scale)


def notes(company: DemoCompany, scale: float = 1.0) -> Notes:
    return _notes(company.slug, scale)


@pytest.fixture(scope="module")
def big() -> Notes:
    return notes(BIG)


@pytest.fixture(scope="module")
def small() -> Notes:
    return notes(SMALL)


class TestRows:
    def test_the_same_plan_gives_the_same_rows(self, small: Notes) -> None:
        assert _records(small.plan) == small.rows
        again = Notes(SMALL, 1.0)
        assert (again.rows, again.checkins, again.files) == (small.rows, small.checkins, small.files)
        other = replace(small.plan, shape=replace(small.plan.shape, seed=1))
        assert _records(other) != small.rows

    def test_ids_ascend_and_no_two_companies_share_one(self) -> None:
        plans = [notes(company, 0.05).plan for company in COMPANIES if company is not EMPTY]
        ids = [[plan.note_id(number) for number in range(plan.notes)] for plan in plans]
        assert all(earlier < later for found in ids for earlier, later in pairwise(found))
        together = [number for found in ids for number in found]
        assert len(set(together)) == len(together) > 1_000
        first, last = max(found[0] for found in ids), min(found[-1] for found in ids)
        assert all(found[0] < last and found[-1] > first for found in ids)

    def test_who_has_how_many(self, big: Notes, small: Notes) -> None:
        assert 15_000 <= len(big.rows) <= 20_000
        assert 2_000 <= len(notes(MEDIUM).rows) <= 5_000
        assert 50 <= len(small.rows) <= 70
        assert len(notes(FLAG_OFF).rows) > 100
        assert demo_roster(EMPTY, 1.0) is None
        assert set(NOTES_SHAPES) == set(COMPANY_SHAPES)

    def test_shares_of_the_big_company(self, big: Notes) -> None:
        shape, total = big.plan.shape, len(big.rows)
        outcomes = Counter(map(big.outcome, big.rows))
        for outcome, share in {
            "elsewhere": shape.elsewhere,
            "deleted": shape.deleted,
            "out of scope": shape.out_of_scope,
        }.items():
            assert 0.8 * share < outcomes[outcome] / total < 1.2 * share, outcome
        assert (outcomes["infinity"], outcomes["foreign"], outcomes["long"]) == (1, 1, 2)
        assert 0.002 < _failing(outcomes) / total < 0.004
        types = Counter(row["crm_note_type_id"] for row in big.rows)
        assert set(types) == {1, 2, 3, 4, 6, None}
        assert types[1] > types[6] > 10 * types[2]

    @pytest.mark.parametrize("scale", [0.01, 0.05, 0.3, 1.0])
    def test_the_big_company_never_comes_near_the_guard(self, scale: float) -> None:
        assert max(_failure_rates(notes(BIG, scale))) < 0.01

    @pytest.mark.parametrize("scale", [0.01, 0.05, 0.3, 1.0])
    def test_the_medium_company_halts_in_its_first_batch_and_stays_halted(self, scale: float) -> None:
        found = notes(MEDIUM, scale)
        assert min(_failure_rates(found)) > 0.0105
        third = found.rows[len(found.rows) // 3]["id"]
        failing = [row for row in found.rows if found.outcome(row) in ("long", "stranger", "foreign")]
        assert max(row["id"] for row in failing) <= third
        early = Counter(found.outcome(row) for row in found.rows if row["id"] <= third)
        if scale == 1.0:
            assert 0.03 < _failing(early) / early.total() < 0.05
            assert early["long"] > early["stranger"] > 5

    @pytest.mark.parametrize("scale", [0.01, 0.05, 1.0])
    def test_the_smallest_company_is_clean_and_shows_everything(self, scale: float) -> None:
        found = notes(SMALL, scale)
        outcomes = Counter(map(found.outcome, found.rows))
        assert set(outcomes) == {"good", "deleted", "out of scope"}
        texts = [row["note"] or "" for row in found.rows]
        assert any(payload in text for text in texts for payload in HOSTILE)
        assert any(MENTION.search(text) for text in texts)
        assert any("gmail_quote" in text or "MsoNormal" in text for text in texts)
        assert found.checkins
        assert "" in texts

    def test_times_are_over_years_and_none_is_after_the_last_day(self, big: Notes) -> None:
        created = [row["created_at"] for row in big.rows if row["created_at"] != INFINITY]
        years = {2000 + int(at // (365.2425 * 86_400_000_000)) for at in created}
        assert years == set(range(2019, 2026))
        for row in big.rows:
            assert max(row["updated_at"], row["deleted_at"] or 0) <= LAST
            assert row["created_at"] in (INFINITY, min(row["created_at"], LAST))
            assert row["deleted_at"] is None or row["deleted_at"] >= max(row["created_at"], row["updated_at"])
        back = sum(row["updated_at"] < row["created_at"] for row in big.rows)
        assert 2 < back < 0.005 * len(big.rows)
        assert 0.2 < sum(row["updated_at"] > row["created_at"] for row in big.rows) / len(big.rows) < 0.4

    def test_keys_of_the_other_records(self, big: Notes) -> None:
        links = Counter(
            (row["crm_person_id"] is not None, column)
            for row in big.rows
            for column in ("crm_deal_id", "crm_company_id", "ticket_id")
            if row[column] is not None
        )
        assert len(links) == 6
        assert 0.07 < sum(count for (person, _), count in links.items() if person) / len(big.rows) < 0.13
        alone = [row for row in big.rows if row["crm_person_id"] is None]
        assert all(row["crm_deal_id"] or row["crm_company_id"] or row["ticket_id"] for row in alone)

    def test_creators_are_live_deleted_unknown_missing_and_none(self, big: Notes) -> None:
        users = {row[0]: row for row in big.plan.users.rows(pools_of(["id_ID"]), "slug")}
        kinds: Counter[str] = Counter()
        for row in big.rows:
            user = users.get(row["creator_id"])
            if user is None:
                kinds["none" if row["creator_id"] is None else "missing"] += 1
            else:
                kinds["deleted" if user[3] else "unknown" if "@unknown" in str(user[1]) else "live"] += 1
        assert set(kinds) == {"none", "missing", "deleted", "unknown", "live"}
        assert kinds["live"] > len(big.rows) / 2

    def test_checkins_hang_on_some_notes(self, big: Notes) -> None:
        assert 0.007 < len(big.checkins) / len(big.rows) < 0.013
        ids = {row["id"] for row in big.rows}
        assert all(note in ids and -8 <= float(str(lat)) <= -5 for _, note, lat, *_ in big.checkins)


def _failure_rates(found: Notes) -> list[float]:
    """The cumulative rate after every batch of a migration."""
    outcomes: Counter[str] = Counter()
    rates = []
    rows = found.of_people()
    for first in range(0, len(rows), BATCH):
        outcomes.update(map(found.outcome, rows[first : first + BATCH]))
        rates.append(_failing(outcomes) / outcomes.total())
    return rates


class TestTexts:
    def test_every_kind_of_markup_is_there(self, big: Notes) -> None:
        everything = "\n".join(row["note"] or "" for row in big.rows)
        for part in (
            "<div><br></div>", "<p>", "<ul>", "<ol>", "<li>", "<h3>", "<blockquote>", "<strong>", "<b><i>", "<u>",
            "<em>", 'style="color: ', "&nbsp;", "<br class", 'href="mailto:', "<!--[if gte mso 9]>", "<style>",
            "MsoNormal", "<font ", "<table ", "<o:p>", "gmail_quote", 'dir="ltr"', "👍", "🙏", "✅", "&amp;", "&lt;",
            "tdk aktif", "Telp tidak diangkat", "Spoke to", "サンプル", "Rückruf", "تم الاتصال", "שוחחתי", "\r\n",
        ):  # fmt: skip
            assert part in everything, part

    def test_some_are_plain_text_in_which_signs_mean_themselves(self, big: Notes) -> None:
        plain = [row["note"] for row in big.rows if row["note"] and not re.search(r"<[a-z!/]", row["note"])]
        assert len(plain) > 0.1 * len(big.rows)
        assert any("< Rp" in text for text in plain)
        assert any("damaged" in text or " & " in text for text in plain)

    def test_every_attack_is_there(self, big: Notes) -> None:
        everything = "\n".join(row["note"] or "" for row in big.rows)
        assert [payload for payload in HOSTILE if payload not in everything] == []
        hostile = sum(any(payload in (row["note"] or "") for payload in HOSTILE) for row in big.rows)
        assert 0.005 < hostile / len(big.rows) < 0.02

    def test_both_forms_of_mentions_name_users_of_the_company(self, big: Notes) -> None:
        found = [MENTION.findall(row["note"] or "") for row in big.rows]
        by_id = {int(first) for pairs in found for first, _ in pairs if first}
        by_page = {int(second) for pairs in found for _, second in pairs if second}
        users = {row[0] for row in big.plan.users.rows(pools_of(["id_ID"]), "slug")}
        assert by_id <= users
        assert by_page <= users
        assert min(len(by_id), len(by_page)) > 5
        assert sum(map(bool, found)) > 0.05 * len(big.rows)

    def test_empty_ones_have_files(self, big: Notes) -> None:
        with_files = {file["crm_note_id"] for file in big.files}
        empty = [row for row in big.rows if not _visible(row["note"])]
        assert {row["note"] for row in empty} == {None, "", "<div><br></div>"}
        assert all(row["id"] in with_files for row in empty)
        assert 10 < len(empty) < len(with_files) / 2

    def test_lengths_are_those_of_real_notes(self, big: Notes) -> None:
        lengths = sorted(len(row["note"] or "") for row in big.rows)
        assert 300 < sum(lengths) / len(lengths) < 900
        assert lengths[len(lengths) // 20] < 60
        assert lengths[-3] < 5_000


class TestFiles:
    @pytest.mark.parametrize(("company", "count"), [(BIG, 120), (MEDIUM, 20), (SMALL, 12), (FLAG_OFF, 0)])
    def test_how_many(self, company: DemoCompany, count: int) -> None:
        found = notes(company)
        assert len(found.files) == count
        in_scope = {row["id"] for row in found.rows if found.outcome(row) == "good"}
        assert {file["crm_note_id"] for file in found.files} <= in_scope

    def test_mostly_images_and_of_every_kind(self, big: Notes) -> None:
        kinds = Counter(file["file_name"].rsplit(".", 1)[1] for file in big.files)
        assert set(kinds) == {"jpg", "png", "pdf", "xlsx", "docx", "csv", "ogg", "m4a", "mp4"}
        assert kinds["jpg"] + kinds["png"] > len(big.files) / 2
        assert Counter(file["table"] for file in big.files).keys() == set(FILE_TABLES)
        assert max(Counter(file["crm_note_id"] for file in big.files).values()) == 3
        for table in FILE_TABLES:
            ids = [file["id"] for file in big.files if file["table"] == table]
            assert len(set(ids)) == len(ids)

    @pytest.mark.parametrize("company", [BIG, MEDIUM, SMALL], ids=lambda company: company.slug)
    def test_good_ones_are_served_as_they_are_declared(self, company: DemoCompany) -> None:
        bad = {_outcome(file): file["url"] for file in notes(company).files if _outcome(file) != "good"}
        if company is BIG:
            assert set(bad) == {
                "metadata", "another host", "status 404", "not what it seems", "too large", "moved private",
                "moved here",
            }  # fmt: skip
        else:
            assert set(bad) == ({"status 404"} if company is SMALL else set())

    def test_another_server_changes_addresses_alone(self, small: Notes) -> None:
        rows = note_file_rows(small.plan, lay_out(small.plan), "http://other.example")
        elsewhere = _files(rows)
        assert [file | {"url": ""} for file in elsewhere] == [file | {"url": ""} for file in small.files]
        assert {file["url"].split("/files/")[0] for file in elsewhere} == {"http://other.example"}
        assert notes_version(ROOT) == notes_version(ROOT) != notes_version("http://other.example")


def _outcome(file: Record) -> str:
    if file["url"] == crm_files.METADATA_URL:
        return "metadata"
    if not file["url"].startswith(f"{ROOT}/files/"):
        return "another host"
    reply = file_reply(urlsplit(file["url"]).path)
    target = reply.headers.get("Location", "")
    if target:
        moved = file_reply(target) if target.startswith("/") else None
        return "moved here" if moved is not None and moved.length == file["file_size"] else "moved private"
    if reply.status != 200:
        return f"status {reply.status}"
    if (reply.length or 0) > 25 * 1024 * 1024:
        return "too large"
    declared = (file["content_type"], file["file_size"])
    return "good" if declared == (reply.headers["Content-Type"], reply.length) else "not what it seems"


class TestBulk:
    @staticmethod
    def _plan(count: int, seed: int = 5) -> NotesPlan:
        first = datetime(2024, 1, 1, tzinfo=UTC)
        people = [(7_000 + number, first + timedelta(hours=number)) for number in range(300)]
        return bulk_notes_plan(42, people, count, seed=seed, first_note_id=900)

    def test_all_are_in_scope_and_about_six_hundred_characters_long(self) -> None:
        rows = _records(self._plan(3_000))
        assert [row["id"] for row in rows] == list(range(900, 3_900))
        assert {row["crm_person_id"] for row in rows} <= set(range(7_000, 7_300))
        assert {row["crm_note_type_id"] for row in rows} == {1, 6}
        assert {row["deleted_at"] for row in rows} == {None}
        lengths = [len(row["note"]) for row in rows]
        assert 500 < sum(lengths) / len(lengths) < 700
        assert max(lengths) < 5_000
        assert len({row["note"] for row in rows}) == len(rows)
        assert any(MENTION.search(row["note"]) for row in rows)

    def test_creators_are_live(self) -> None:
        users = DemoUsers(42, 24)
        by_id = {row[0]: row for row in users.rows(pools_of(["id_ID"]), "slug")}
        creators = {by_id[row["creator_id"]] for row in _records(self._plan(1_000))}
        assert len(creators) > 10
        assert all(email and "@unknown" not in str(email) and deleted is None for _, email, _, deleted, _ in creators)

    def test_a_seed_gives_the_same_rows_and_another_one_others(self) -> None:
        assert _records(self._plan(200)) == _records(self._plan(200)) != _records(self._plan(200, seed=6))

    def test_files_are_spread_one_a_note(self) -> None:
        plan = self._plan(1_000)
        found = list(spread_file_rows(plan, 600, ROOT))
        assert len({row[1] for _, row in found}) == 600
        assert {table for table, _ in found} == set(FILE_TABLES)
        assert {_outcome(dict(zip(FILE_COLUMNS, row, strict=True))) for _, row in found} == {"good"}

    def test_nobody_to_be_about_is_refused(self) -> None:
        with pytest.raises(ValueError, match="need people"):
            bulk_notes_plan(42, [], 1, seed=1, first_note_id=1)
