import pytest

from cdp_pipelines.domain.errors import ConfigurationError
from cdp_pipelines.pipelines.contact_notes.config import note_types
from cdp_pipelines.pipelines.migrations.services import read_files_root_url
from cdp_pipelines.resources.crm_notes import CrmNotesResource
from cdp_pipelines.resources.crm_notes_api import HttpNotes
from cdp_pipelines.resources.crm_postgres import CrmPostgresResource


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "CDP_CRM_NOTES_SOURCE", "CRM_API_ROOT_URL", "CRM_API_AUTH", "CRM_NOTES_EXTRACT_TIMEOUT", "CDP_CRM_NOTE_TYPES",
        "CDP_FILES_ROOT_URL", "CRM_AUDIT_DATABASE_URL",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)


def opened() -> object:
    return CrmNotesResource().open(1, database=CrmPostgresResource())


def test_the_database_is_the_source_unless_set() -> None:
    assert CrmNotesResource().chosen_source() == "postgres"
    with pytest.raises(ConfigurationError, match="CRM_AUDIT_DATABASE_URL is not set"):
        opened()


def test_the_api_needs_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDP_CRM_NOTES_SOURCE", " HTTP ")
    with pytest.raises(ConfigurationError, match="CRM_API_ROOT_URL is not set"):
        opened()
    monkeypatch.setenv("CRM_API_ROOT_URL", "https://crm.example")
    with pytest.raises(ConfigurationError, match="CRM_API_AUTH is not set"):
        opened()
    monkeypatch.setenv("CRM_API_AUTH", "token")
    assert isinstance(opened(), HttpNotes)
    monkeypatch.setenv("CRM_API_ROOT_URL", "ftp://crm.example")
    with pytest.raises(ConfigurationError, match="CRM_API_ROOT_URL must be an address"):
        opened()


@pytest.mark.parametrize("text", ["10", "10s", " 2.5 ", "119"])
def test_a_time_limit_is_in_seconds(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("CRM_NOTES_EXTRACT_TIMEOUT", text)
    resource = CrmNotesResource(source="http", root_url="https://crm.example", authorization="x")
    assert isinstance(resource.open(1, database=CrmPostgresResource()), HttpNotes)


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "1h", "99999"])
def test_a_time_limit_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("CRM_NOTES_EXTRACT_TIMEOUT", text)
    resource = CrmNotesResource(source="http", root_url="https://crm.example", authorization="x")
    with pytest.raises(ConfigurationError, match="CRM_NOTES_EXTRACT_TIMEOUT must be seconds"):
        resource.open(1, database=CrmPostgresResource())


def test_an_unknown_source_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDP_CRM_NOTES_SOURCE", "mysql")
    with pytest.raises(ConfigurationError, match="CDP_CRM_NOTES_SOURCE must be postgres or http"):
        opened()


def test_types_in_scope(monkeypatch: pytest.MonkeyPatch) -> None:
    assert note_types() == {1, 6}
    monkeypatch.setenv("CDP_CRM_NOTE_TYPES", "3, 4,4")
    assert note_types() == {3, 4}
    for text in ("", "1,", "one", "-1", "١"):
        monkeypatch.setenv("CDP_CRM_NOTE_TYPES", text)
        if not text:
            assert note_types() == {1, 6}
            continue
        with pytest.raises(ConfigurationError, match="CDP_CRM_NOTE_TYPES"):
            note_types()


def test_the_address_of_files(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="CDP_FILES_ROOT_URL is not set"):
        read_files_root_url()
    assert read_files_root_url("https://files.example/x") == "https://files.example/x"
    for text in ("files.example", "ftp://files.example", "https://"):
        monkeypatch.setenv("CDP_FILES_ROOT_URL", text)
        with pytest.raises(ConfigurationError, match="CDP_FILES_ROOT_URL must be an address"):
            read_files_root_url()
