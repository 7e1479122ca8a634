"""The names of the CRM's tables of notes: the package's own, an operator's, and what is said about wrong ones."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from cdp_pipelines.domain.errors import ConfigurationError
from cdp_pipelines.resources.crm_mapping import (
    CHECKIN_COLUMNS,
    FILE_COLUMNS,
    FILE_TABLES,
    NOTE_COLUMNS,
    CrmMapping,
    Table,
    load_mapping,
)
from cdp_pipelines.resources.crm_notes_postgres import PostgresNotes
from cdp_pipelines.resources.crm_rows import CrmStatements
from cdp_pipelines.resources.crm_session import CrmSession

OWN = Path(__file__).parents[3] / "cdp_pipelines" / "resources" / "data" / "crm_mapping.yaml"


@pytest.fixture(autouse=True)
def _no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CDP_CRM_MAPPING_FILE", raising=False)


def own() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(OWN.read_text())
    return loaded


def loaded(folder: Path, document: Any) -> CrmMapping:
    file = folder / "mapping.yaml"
    file.write_text(yaml.safe_dump(document))
    return load_mapping(str(file))


def without(document: dict[str, Any], *path: str) -> dict[str, Any]:
    """The document without what stands at a path, which is there."""
    place = document
    for name in path[:-1]:
        place = place[name]
    del place[path[-1]]
    return document


def test_the_packages_own_names_the_tables_of_the_specification() -> None:
    notes = load_mapping().notes
    assert notes is not None
    assert notes.note.parts == ("crm_notes",)
    assert notes.note.columns["content"] == "note"
    assert {kind: table.parts for kind, table in notes.files.items()} == {
        "image": ("crm_note_images",), "audio": ("crm_note_audios",), "document": ("crm_note_attachments",),
    }  # fmt: skip
    assert notes.checkin == Table(("crm_checkins",), {"id": "id", "note": "crm_note_id"})


def test_other_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = own()
    document["notes"]["note"] = {"table": "crm.remarks", "columns": {name: f"{name}_x" for name in NOTE_COLUMNS}}
    document["notes"]["note"]["columns"]["more"] = "ignored"
    (tmp_path / "mapping.yaml").write_text(yaml.safe_dump(document))
    monkeypatch.setenv("CDP_CRM_MAPPING_FILE", str(tmp_path / "mapping.yaml"))
    notes = load_mapping().notes
    assert notes is not None
    assert notes.note == Table(("crm", "remarks"), {name: f"{name}_x" for name in NOTE_COLUMNS})


@pytest.mark.parametrize("empty", [None, ...])
def test_a_file_may_leave_notes_out_until_they_are_read(tmp_path: Path, empty: Any) -> None:
    document = without(own(), "notes") if empty is ... else {**own(), "notes": empty}
    mapping = loaded(tmp_path, document)
    assert mapping.notes is None
    assert mapping.people == load_mapping().people
    with pytest.raises(ConfigurationError, match="CDP_CRM_MAPPING_FILE") as caught:
        PostgresNotes(CrmSession("postgresql://nowhere", 1), mapping)
    assert caught.value.code == "CRM_MAPPING_INVALID"


@pytest.mark.parametrize("name", ["note", *FILE_TABLES, "checkin"])
def test_a_table_that_is_missing_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"notes\.{name} ") as caught:
        loaded(tmp_path, without(own(), "notes", name))
    assert caught.value.code == "CRM_MAPPING_INVALID"


@pytest.mark.parametrize(
    ("table", "column"),
    [
        *(("note", column) for column in NOTE_COLUMNS),
        *(("audio", column) for column in FILE_COLUMNS),
        *(("checkin", column) for column in CHECKIN_COLUMNS),
    ],
)
def test_a_column_that_is_missing_is_named(tmp_path: Path, table: str, column: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"notes\.{table} lacks the columns {column}\."):
        loaded(tmp_path, without(own(), "notes", table, "columns", column))


def test_the_name_in_place_of_a_user_may_be_left_out(tmp_path: Path) -> None:
    mapping = loaded(tmp_path, without(own(), "audits", "columns", "username"))

    assert "username" not in mapping.audits.columns
    assert "NULL::text" in CrmStatements(mapping).audits_by_id().as_string()
    assert '"username"' in CrmStatements(load_mapping()).audits_by_id().as_string()


@pytest.mark.parametrize("name", ["", 5])
def test_the_name_in_place_of_a_user_is_a_column_if_it_is_there(tmp_path: Path, name: Any) -> None:
    document = own()
    document["audits"]["columns"]["username"] = name
    with pytest.raises(ConfigurationError, match="audits lacks the columns username"):
        loaded(tmp_path, document)


@pytest.mark.parametrize("entry", [[], "crm_notes", 5, {}, {"note": "crm_notes"}, {"note": {"table": "a..b"}}])
def test_what_is_no_mapping_of_notes(tmp_path: Path, entry: Any) -> None:
    with pytest.raises(ConfigurationError, match="notes") as caught:
        loaded(tmp_path, {**own(), "notes": entry})
    assert caught.value.code == "CRM_MAPPING_INVALID"
