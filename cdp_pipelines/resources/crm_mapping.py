"""Names of the CRM's tables and columns, and its categories: two YAML files, the package's own or an operator's.

Belongs here: reading and checking the files. Not here: queries (`crm_postgres.py`) and what categories mean
(`domain/activity_logs/categories.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

from cdp_pipelines.domain.errors import ConfigurationError
from cdp_pipelines.resources.environment import optional_setting

MAPPING_SETTING: Final = "CDP_CRM_MAPPING_FILE"
CATEGORIES_SETTING: Final = "CDP_CRM_CATEGORIES_FILE"

AUDIT_COLUMNS: Final = (
    "id", "organization", "auditable_id", "auditable_type", "associated_id", "associated_type", "user_id", "user_type",
    "action", "changes", "comment", "created_at",
)  # fmt: skip
AUDIT_COLUMNS_THAT_MAY_LACK: Final = ("username",)
USER_COLUMNS: Final = ("id", "organization", "email", "name", "deleted_at")
ORGANIZATION_COLUMNS: Final = ("id",)
ENTITY_COLUMNS: Final = ("id", "organization", "name", "deleted_at")
NOTE_COLUMNS: Final = (
    "id", "organization", "content", "creator", "person", "company", "deal", "ticket", "type", "created_at",
    "updated_at", "deleted_at",
)  # fmt: skip
FILE_COLUMNS: Final = ("id", "note", "url", "name", "content_type", "size")
CHECKIN_COLUMNS: Final = ("id", "note")
FILE_TABLES: Final = ("image", "audio", "document")
PERSON: Final = "person"


@dataclass(frozen=True, slots=True)
class Table:
    """A table, with its schema in front where the file gives one, and its columns by what they hold."""

    parts: tuple[str, ...]
    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class NoteTables:
    """Notes, what holds their files (`image`, `audio`, `document`), and their check-ins."""

    note: Table
    files: Mapping[str, Table]
    checkin: Table


@dataclass(frozen=True, slots=True)
class CrmMapping:
    """The tables this project reads. `notes` and `organizations` are None where the file names none."""

    audits: Table
    users: Table
    entities: Mapping[str, Table]
    notes: NoteTables | None = None
    organizations: Table | None = None

    @property
    def people(self) -> Table:
        """The CRM's people."""
        return self.entities[PERSON]


def load_mapping(path: str = "") -> CrmMapping:
    """The mapping of `path`, else of the file that `CDP_CRM_MAPPING_FILE` names, else the package's.

    Raises:
        ConfigurationError: `CRM_MAPPING_INVALID`, with what is wrong in which file.
    """
    document, source = _load("crm_mapping.yaml", MAPPING_SETTING, path)
    entities = document.get("entities")
    if not isinstance(entities, Mapping) or PERSON not in entities:
        raise _invalid(source, "entities must name the table of person")
    return CrmMapping(
        audits=_table(source, "audits", document.get("audits"), AUDIT_COLUMNS, AUDIT_COLUMNS_THAT_MAY_LACK),
        users=_table(source, "users", document.get("users"), USER_COLUMNS),
        entities={
            str(name): _table(source, f"entities.{name}", entry, ENTITY_COLUMNS) for name, entry in entities.items()
        },
        notes=_note_tables(source, document["notes"]) if document.get("notes") is not None else None,
        organizations=_table(source, "organizations", document["organizations"], ORGANIZATION_COLUMNS)
        if document.get("organizations") is not None
        else None,
    )


def _note_tables(source: str, entry: Any) -> NoteTables:
    if not isinstance(entry, Mapping):
        raise _invalid(source, "notes must be a mapping")
    return NoteTables(
        note=_table(source, "notes.note", entry.get("note"), NOTE_COLUMNS),
        files={name: _table(source, f"notes.{name}", entry.get(name), FILE_COLUMNS) for name in FILE_TABLES},
        checkin=_table(source, "notes.checkin", entry.get("checkin"), CHECKIN_COLUMNS),
    )


def load_categories(path: str = "") -> Mapping[str, Any]:
    """The table of categories as it stands in the file; `read_category_table` checks it.

    Raises:
        ConfigurationError: `CRM_MAPPING_INVALID`, the file cannot be read.
    """
    return _load("categories.yaml", CATEGORIES_SETTING, path)[0]


def _load(name: str, setting: str, path: str) -> tuple[Mapping[str, Any], str]:
    import yaml

    chosen = optional_setting(setting, path)
    try:
        if chosen:
            text = Path(chosen).read_text(encoding="utf-8")
        else:
            text = (resources.files("cdp_pipelines.resources") / "data" / name).read_text(encoding="utf-8")
        document = yaml.safe_load(text)
    except OSError as exc:
        raise _invalid(setting, f"its file cannot be read ({type(exc).__name__})") from exc
    except (yaml.YAMLError, UnicodeDecodeError) as exc:
        raise _invalid(setting if chosen else name, "it is no YAML") from exc
    if not isinstance(document, Mapping):
        raise _invalid(setting if chosen else name, "it must be a mapping")
    return document, setting if chosen else name


def _table(source: str, name: str, entry: Any, columns: tuple[str, ...], may_lack: tuple[str, ...] = ()) -> Table:
    table = entry.get("table") if isinstance(entry, Mapping) else None
    named = entry.get("columns") if isinstance(entry, Mapping) else None
    if not isinstance(table, str) or not all(table.split(".")):
        raise _invalid(source, f"{name} needs the name of its table")
    if not isinstance(named, Mapping):
        raise _invalid(source, f"{name} needs its columns")
    columns = (*columns, *(column for column in may_lack if named.get(column) is not None))
    missing = [column for column in columns if not isinstance(named.get(column), str) or not named[column]]
    if missing:
        raise _invalid(source, f"{name} lacks the columns {', '.join(missing)}")
    return Table(tuple(table.split(".")), {column: named[column] for column in columns})


def _invalid(source: str, problem: str) -> ConfigurationError:
    return ConfigurationError("CRM_MAPPING_INVALID", f"{source}: {problem}. See docs/activity-logs.md for its form.")
