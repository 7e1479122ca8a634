"""The numbers that operators set: what is refused, in which words, and that their page says the same."""

import re
from pathlib import Path

import pytest

from cdp_pipelines.cli.doctor.entity_exports import check_entity_exports
from cdp_pipelines.cli.doctor.findings import run_check
from cdp_pipelines.cli.doctor.machine import check_limits
from cdp_pipelines.domain.errors import ConfigurationError
from cdp_pipelines.resources.attachment_fetcher import AttachmentFetcherResource
from cdp_pipelines.resources.crm_api import RETRY_WAITS
from cdp_pipelines.resources.crm_notes import CrmNotesResource
from cdp_pipelines.resources.crm_postgres import CrmPostgresResource
from cdp_pipelines.resources.entity_export_limits import EntityExportLimitsResource
from cdp_pipelines.resources.export_limits import ExportLimitsResource
from cdp_pipelines.resources.mailer import MailerResource
from cdp_pipelines.resources.number_settings import NUMBERS, NumberSetting, number_setting
from cdp_pipelines.stores.migration_jobs import LEASE_SECONDS

SETTINGS = list(NUMBERS.values())
PAGE = Path(__file__).parents[3] / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*NUMBERS, "CDP_MONGO_URI", "CDP_WEBHOOK_SIGNING_KEY"):
        monkeypatch.delenv(name, raising=False)


def refusal_of(name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(name, text)
    with pytest.raises(ConfigurationError) as caught:
        number_setting(name)
    assert caught.value.code == "SETTING_INVALID"
    return caught.value.message


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_both_bounds_are_allowed_and_nothing_beyond_them(
    setting: NumberSetting, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert setting.least <= setting.default <= setting.most
    for allowed in (setting.least, setting.most):
        monkeypatch.setenv(setting.name, f" {allowed} ")
        assert number_setting(setting.name) == allowed
    least, most = (setting.least - 1, setting.most + 1) if setting.whole else (0.09, 119.1)
    for text, problem in ((str(least), "too small"), (str(most), "too large"), ("-5", "too small"),
                          ("9" * 5_000, "too large"), ("-" + "9" * 5_000, "too small")):  # fmt: skip
        message = refusal_of(setting.name, text, monkeypatch)
        assert setting.name in message
        assert problem in message
        assert setting.allowed() in message


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
@pytest.mark.parametrize(
    "text",
    ["nan", "inf", "-inf", "1,5", "1.000,5", "10 MB", "5m", "1h", "0x10", "1e3", "1_000", "١٠", "５", "s3cret", "--1",
     "+", "1 000", "true", "None", "10,000"],
)  # fmt: skip
def test_what_is_no_number_is_refused_by_name_and_not_repeated(
    setting: NumberSetting, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = refusal_of(setting.name, text, monkeypatch)
    assert setting.name in message
    assert "is not a" in message
    assert setting.allowed() in message
    assert "s3cret" not in message


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
@pytest.mark.parametrize("text", ["", " ", "\t\n"])
def test_empty_and_blank_are_unset(setting: NumberSetting, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(setting.name, text)
    assert number_setting(setting.name) == setting.default


@pytest.mark.parametrize("text", ["1.5", "0.0", "10s", "3600.0"])
def test_decimals_and_units_are_for_those_that_say_so(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "is not a whole number" in refusal_of("CDP_EXPORT_PAGE_ROWS", text, monkeypatch)
    for seconds in ("1.5", "10s", " 2 s", ".5"):
        monkeypatch.setenv("CRM_NOTES_EXTRACT_TIMEOUT", seconds)
        assert number_setting("CRM_NOTES_EXTRACT_TIMEOUT") > 0


def test_links_of_a_week_and_files_of_a_month_are_refused_before_any_row_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """S3 signs for 604,800 seconds at most, and the document that a file is removed by is kept for as long."""
    for name, text in (("CDP_EXPORT_URL_TTL", "700000"), ("CDP_EXPORT_FILE_TTL", str(30 * 86_400))):
        monkeypatch.setenv(name, text)
        with pytest.raises(ConfigurationError, match=rf"{name}.* to 604,800 seconds"):
            EntityExportLimitsResource().check()
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("resource", "name"),
    [
        (EntityExportLimitsResource(page_rows=0), "CDP_EXPORT_PAGE_ROWS"),
        (EntityExportLimitsResource(page_rows=10**9), "CDP_EXPORT_PAGE_ROWS"),
        (EntityExportLimitsResource(part_bytes=0), "CDP_EXPORT_PART_BYTES"),
        (EntityExportLimitsResource(url_seconds=-1), "CDP_EXPORT_URL_TTL"),
        (EntityExportLimitsResource(kept_seconds=59), "CDP_EXPORT_FILE_TTL"),
        (EntityExportLimitsResource(kept_seconds=604_801), "CDP_EXPORT_FILE_TTL"),
        (ExportLimitsResource(max_per_window=-1), "CDP_EXPORT_RATE_LIMIT"),
        (ExportLimitsResource(window_seconds=0), "CDP_EXPORT_RATE_WINDOW_SECONDS"),
        (ExportLimitsResource(attachment_limit_bytes=10**9), "CDP_EMAIL_ATTACHMENT_LIMIT"),
    ],
)
def test_what_is_set_in_code_is_held_to_the_same_bounds(
    resource: EntityExportLimitsResource | ExportLimitsResource, name: str
) -> None:
    with pytest.raises(ConfigurationError, match=name):
        resource.check()


def test_other_resources_read_theirs_when_they_open(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="CDP_SMTP_PORT"):
        MailerResource(sender="a@b.example", host="h", port=65_536).open()
    with pytest.raises(ConfigurationError, match="CRM_NOTES_EXTRACT_TIMEOUT"):
        notes_of(CrmNotesResource(source="http", root_url="https://c.example", authorization="x", timeout_seconds=0))
    with pytest.raises(ConfigurationError, match="retry_waits"):
        notes_of(CrmNotesResource(source="http", root_url="https://c.example", authorization="x", retry_waits=[-1.0]))
    monkeypatch.setenv("CDP_CRM_STATEMENT_SECONDS", "0")
    with pytest.raises(ConfigurationError, match="CDP_CRM_STATEMENT_SECONDS"):
        CrmPostgresResource(dsn="postgresql://h/d").open(1)
    for values in ({"largest_bytes": 0}, {"total_seconds": 0.0}, {"total_seconds": 1e9}, {"retry_wait_seconds": -1.0}):
        with pytest.raises(ValueError, match=next(iter(values))):
            AttachmentFetcherResource(hosts="a.example", **values)


def notes_of(resource: CrmNotesResource) -> object:
    return resource.open(1, database=CrmPostgresResource())


@pytest.mark.parametrize(
    ("links", "files", "fits"),
    [("604800", "604800", True), ("172800", "", True), ("172801", "", False), ("61", "60", False), ("", "60", True)],
)
def test_links_that_were_set_to_outlive_their_files_are_refused(
    links: str, files: str, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDP_EXPORT_URL_TTL", links)
    monkeypatch.setenv("CDP_EXPORT_FILE_TTL", files)
    states = {each.state for each in run_check("entity-exports", check_entity_exports)}
    if fits:
        EntityExportLimitsResource().check()
        assert "broken" not in states
        return
    with pytest.raises(ConfigurationError, match="CDP_EXPORT_URL_TTL is more than CDP_EXPORT_FILE_TTL"):
        EntityExportLimitsResource().check()
    assert "broken" in states


def test_no_wait_on_the_crm_outlives_the_lease_of_its_run() -> None:
    assert NUMBERS["CDP_CRM_STATEMENT_SECONDS"].most <= LEASE_SECONDS
    assert 4 * NUMBERS["CRM_NOTES_EXTRACT_TIMEOUT"].most + sum(RETRY_WAITS) < LEASE_SECONDS


def test_doctor_names_every_number_that_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {each.state for each in run_check("limits", check_limits)} == {"ok"}
    wrong = ("CDP_EXPORT_URL_TTL", "CDP_SMTP_PORT", "CRM_NOTES_EXTRACT_TIMEOUT")
    for name in wrong:
        monkeypatch.setenv(name, "700000")
    found = list(run_check("limits", check_limits))
    assert [(each.check, each.state) for each in found] == [("SETTING_INVALID", "broken")] * len(wrong)
    assert all(any(name in each.detail for each in found) for name in wrong)


def test_the_page_of_settings_says_what_the_code_says() -> None:
    rows = re.findall(
        r"^\| `([A-Z_]+)` \| ([0-9,.]+) \| ([0-9,.]+) \| ([0-9,.]+) \| ([a-z]*) \|", PAGE.read_text(), re.M
    )
    assert {name: tuple(rest) for name, *rest in rows} == {
        each.name: (f"{each.default:,}", f"{each.least:,}", f"{each.most:,}", each.unit) for each in SETTINGS
    }
