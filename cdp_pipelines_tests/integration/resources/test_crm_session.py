"""Whatever a role or a database has been set to, the CRM is read the same: a real PostgreSQL, set otherwise."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from cdp_pipelines.domain.crm_records import CrmUser
from cdp_pipelines.domain.errors import ConfigurationError, PermanentFailure
from cdp_pipelines.local.crm_schema import create_crm_schema
from cdp_pipelines.resources.crm_mapping import load_mapping
from cdp_pipelines.resources.crm_notes_postgres import PostgresNotes
from cdp_pipelines.resources.crm_postgres import CrmDatabase, EntityName
from cdp_pipelines.resources.crm_session import CrmSession
from cdp_pipelines_tests.support.crm_databases import crm_database

pytestmark = pytest.mark.any_mongo

CID = 7
AT = datetime(2024, 3, 1, 22, 30, 15, 123456, tzinfo=UTC)
TEXT = "Café – ¿qué? 中"


@dataclass(frozen=True)
class Role:
    """A role of the test's own that may read the CRM, and its address."""

    name: str
    dsn: str


def filled(dsn: str, text: str = TEXT) -> None:
    """One row of each kind."""
    with psycopg.connect(dsn, autocommit=True, client_encoding="UTF8") as connection:
        create_crm_schema(connection)
        connection.execute(
            "INSERT INTO audits (id, organization_id, auditable_id, auditable_type, action, audited_changes, comment, "
            "username, created_at) VALUES (1, %s, 5, 'Crm::Deal', 'update', %s, %s, %s, '2024-03-01 22:30:15.123456')",
            (CID, f"---\nname: {text}\n", text, text),
        )
        connection.execute(
            "INSERT INTO users (id, organization_id, email, full_name) VALUES (2, 7, %s, %s)", (text, text)
        )
        connection.execute("INSERT INTO crm_people (id, organization_id, name) VALUES (3, 7, %s)", (text,))
        connection.execute(
            "INSERT INTO crm_notes (id, organization_id, note, crm_person_id, crm_note_type_id, created_at) "
            "VALUES (4, 7, %s, 3, 1, '2024-03-01 22:30:15.123456')",
            (text,),
        )
        connection.execute("INSERT INTO crm_note_images (id, crm_note_id, file_name) VALUES (5, 4, %s)", (text,))


@pytest.fixture
def role(stack_env: Mapping[str, str]) -> Iterator[Role]:
    """A role of a database with one row of each kind."""
    admin = stack_env["CRM_AUDIT_DATABASE_URL"]
    name = f"reader_{uuid.uuid4().hex[:12]}"
    with crm_database(admin) as dsn:
        filled(dsn)
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'of-the-test'")
            connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}")
            try:
                yield Role(name, make_conninfo(dsn, user=name, password="of-the-test"))
            finally:
                connection.execute(f"DROP OWNED BY {name}")
                connection.execute(f"DROP ROLE {name}")


def changed(role: Role, settings: Mapping[str, str], admin: str) -> None:
    dbname = psycopg.conninfo.conninfo_to_dict(role.dsn)["dbname"]
    with psycopg.connect(make_conninfo(admin, dbname=str(dbname)), autocommit=True) as connection:
        for name, value in settings.items():
            statement = sql.SQL("ALTER ROLE {} SET {} = {}")
            connection.execute(statement.format(sql.Identifier(role.name), sql.Identifier(name), sql.Literal(value)))


def everything(dsn: str) -> dict[str, Any]:
    """What is read of a CRM, in every way that it is read."""
    session = CrmSession(dsn, CID)
    with closing(CrmDatabase(session, load_mapping())) as crm, closing(PostgresNotes(session, load_mapping())) as notes:
        overview = crm.audit_overview(None)
        return {
            "overview": overview,
            "audits": [
                audit
                for page in crm.audits(after=0, to=9, scope=overview.auditable_types, cutoff=None, page_rows=1)
                for audit in page
            ],
            "by id": crm.audits_by_id([1]),
            "since": list(crm.audits(after=0, to=9, scope=["Crm::Deal"], cutoff=AT, page_rows=5)),
            "users": crm.users([2]),
            "names": crm.entity_names("person", [3]),
            "people": list(crm.live_people()),
            "notes": [note for page in notes.notes(after=0, to=9, cutoff=None, page_rows=5) for note in page],
            "notes by id": notes.notes_by_id([4]),
            "notes overview": notes.overview(AT),
            "noticed": crm.noticed(),
        }


ODD_ROLES: Mapping[str, Mapping[str, str]] = {
    "German dates": {"DateStyle": "German, DMY"},
    "dates of SQL": {"DateStyle": "SQL, DMY"},
    "dates of Postgres": {"DateStyle": "Postgres, MDY"},
    "another zone": {"TimeZone": "Asia/Jakarta"},
    "a zone without a name": {"TimeZone": "<+0730>-07:30"},
    "another encoding of the client": {"client_encoding": "LATIN1"},
    "no encoding of the client": {"client_encoding": "SQL_ASCII"},
    "no path": {"search_path": ""},
    "another path": {"search_path": "decoy, public"},
    "everything": {
        "DateStyle": "German", "TimeZone": "America/St_Johns", "IntervalStyle": "sql_standard",
        "bytea_output": "escape", "client_encoding": "LATIN2", "search_path": "decoy", "statement_timeout": "30s",
        "extra_float_digits": "-15", "default_transaction_isolation": "serializable", "xmloption": "document",
        "default_transaction_read_only": "off", "standard_conforming_strings": "off", "array_nulls": "off",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", ODD_ROLES)
def test_a_role_that_was_set_otherwise_reads_the_same(role: Role, stack_env: Mapping[str, str], name: str) -> None:
    admin = stack_env["CRM_AUDIT_DATABASE_URL"]
    expected = everything(role.dsn)
    dbname = str(psycopg.conninfo.conninfo_to_dict(role.dsn)["dbname"])
    with psycopg.connect(make_conninfo(admin, dbname=dbname), autocommit=True) as connection:
        # Tables of the same names that are not ours to read.
        connection.execute("CREATE SCHEMA decoy")
        connection.execute("CREATE TABLE decoy.audits AS SELECT * FROM public.audits WITH NO DATA")
        connection.execute(f"GRANT USAGE ON SCHEMA decoy TO {role.name}")
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA decoy TO {role.name}")
    changed(role, ODD_ROLES[name], admin)

    found = everything(role.dsn)

    assert found == expected
    assert [audit.created_at for audit in found["audits"]] == [AT]
    assert found["audits"][0].username == TEXT
    assert found["users"] == {2: CrmUser(TEXT, TEXT, deleted=False)}
    assert found["names"] == {3: EntityName(TEXT, deleted=False)}
    assert (found["notes"][0].created_at, found["notes"][0].attachments[0].file_name) == (AT, TEXT)


def test_the_address_itself_may_name_the_schema(role: Role, stack_env: Mapping[str, str]) -> None:
    dbname = str(psycopg.conninfo.conninfo_to_dict(role.dsn)["dbname"])
    admin = make_conninfo(stack_env["CRM_AUDIT_DATABASE_URL"], dbname=dbname)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("ALTER SCHEMA public RENAME TO crm")
    with pytest.raises(ConfigurationError, match="public") as caught:
        everything(role.dsn)
    assert caught.value.code == "CRM_MAPPING_MISMATCH"

    found = everything(make_conninfo(role.dsn, options="-c work_mem=8MB -csearch_path=crm"))

    assert [audit.id for audit in found["audits"]] == [1]


def test_nothing_is_asked_of_a_pooler_that_it_refuses(role: Role) -> None:
    """PgBouncer takes no settings with the start of a connection, and keeps none between transactions."""
    session = CrmSession(role.dsn, CID)
    with closing(session.connect(autocommit=True)) as connection:
        assert "options" not in connection.info.get_parameters()
        assert connection.execute("SHOW statement_timeout").fetchone() == ("0",)
    with closing(session.connect()) as connection:
        row = connection.execute(
            "SELECT current_setting('transaction_read_only'), current_setting('TimeZone')"
        ).fetchone()
        assert row == ("on", "UTC")
        assert connection.prepare_threshold is None
    with closing(session.connect(one_snapshot=True)) as connection:
        assert connection.execute("SHOW transaction_isolation").fetchone() == ("repeatable read",)


@pytest.fixture(params=["LATIN1", "WIN1252", "EUC_JIS_2004", "SQL_ASCII"])
def encoded(request: pytest.FixtureRequest, stack_env: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """An encoding, and an empty database that has it."""
    admin = stack_env["CRM_AUDIT_DATABASE_URL"]
    name = f"crm_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(
            f"CREATE DATABASE {name} ENCODING '{request.param}' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0"
        )
        try:
            yield request.param, make_conninfo(admin, dbname=name)
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_database_of_another_encoding(encoded: tuple[str, str]) -> None:
    encoding, dsn = encoded
    text = "日本" if encoding == "EUC_JIS_2004" else "Café ¿qué?"
    filled(dsn, text)

    found = everything(dsn)

    assert found["audits"][0].username == text
    assert found["users"] == {2: CrmUser(text, text, deleted=False)}
    assert (found["notes"][0].content, found["notes"][0].attachments[0].file_name) == (text, text)
    assert found["noticed"] == {}


@pytest.mark.parametrize("encoded", ["SQL_ASCII"], indirect=True)
def test_texts_of_no_known_encoding_hold_up_nobody(encoded: tuple[str, str]) -> None:
    _, dsn = encoded
    filled(dsn)
    with psycopg.connect(dsn, autocommit=True) as connection:
        for table, column in (("users", "full_name"), ("crm_people", "name"), ("crm_notes", "note")):
            # What an old client sent in its own encoding: é as one byte.
            connection.execute(
                f"UPDATE {table} SET {column} = convert_from(%s, 'SQL_ASCII')", (b"Caf\xe9 \x96",), binary=True
            )

    found = everything(dsn)

    assert found["audits"][0].username == TEXT
    assert found["users"][2] == CrmUser(TEXT, "Café \x96", deleted=False)
    assert found["names"][3].name == "Café \x96"
    assert (found["notes"][0].content, found["notes"][0].attachments[0].file_name) == ("Café \x96", TEXT)
    assert found["noticed"] == {"crm_texts_as_latin1": 4}


@pytest.mark.parametrize("encoded", ["WIN1252"], indirect=True)
def test_a_byte_that_its_encoding_does_not_have_is_said_plainly(encoded: tuple[str, str]) -> None:
    _, dsn = encoded
    filled(dsn, "Café")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("UPDATE users SET full_name = chr(129)")

    with pytest.raises(PermanentFailure) as caught:
        everything(dsn)

    assert caught.value.code == "CRM_ENCODING"
    assert "UTF-8" in caught.value.message
