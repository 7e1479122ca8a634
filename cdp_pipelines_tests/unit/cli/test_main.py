import json
import subprocess
import sys

import pytest

from cdp_pipelines.cli import exit_codes
from cdp_pipelines_tests.unit.cli.conftest import Run

JOB = "3210ad47-e6b6-4c5e-8356-93fcaba713a7"
OBJECT = ("export", "request", "--company", "c", "--object", "order")
ASKED = ("export", "request", "--company", "c", "--user", "u", "--email", "a@b.example")


def test_version(run: Run) -> None:
    result = run("--version")
    assert result.exit_code == exit_codes.OK
    assert result.stdout.startswith("cdp 0.")


@pytest.mark.parametrize(
    "group",
    [
        (),
        ("export",),
        ("local",),
        ("migrate-indexes",),
        ("mail",),
        ("doctor",),
        ("demo",),
        ("export", "request"),
        ("export", "objects"),
        ("export", "template", "save"),
        ("export", "schedule", "add"),
        ("export", "webhook-secret"),
        ("metrics",),
        ("migrate",),
        ("migrate", "start"),
        ("migrate", "rollback"),
        ("migrate", "replay"),
    ],
)
def test_every_command_has_help(run: Run, group: tuple[str, ...]) -> None:
    result = run(*group, "--help")
    assert result.exit_code == exit_codes.OK
    assert "Usage" in result.stdout


def test_help_names_the_exit_codes(run: Run) -> None:
    assert "130" in run("--help").stdout


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys; from cdp_pipelines.cli.main import app; "
        "print([m for m in ('dagster', 'pymongo', 'boto3', 'httpx', 'pandas', 'faker') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("exprt",), "Did you mean 'export'?"),
        (("export", "request", "--company", "c"), "--user"),
        (("export", "status"), "JOB"),
        (("export", "list", "--limit", "0"), "--limit"),
        (("migrate-indexes", "down"), "--to"),
        (("migrate-indexes", "down", "--to", "99"), "There is no migration 99"),
        (("local", "env", "--format", "yaml"), "--format"),
        (("doctor", "--only", "coffee"), "There is no system coffee"),
        (("mail", "show", "first"), "N"),
        (("demo", "--scale", "0"), "--scale"),
        ((*ASKED, "--filter", "{"), "FILTER_NOT_JSON"),
        ((*ASKED, "--filter", "@nowhere.json"), "FILE_UNREADABLE"),
        ((*ASKED, "--ids-file", "nowhere.txt"), "FILE_UNREADABLE"),
        (("migrate", "start"), "MIGRATION"),
        (("migrate", "start", "everything", "--company", "c"), "MIGRATION_UNKNOWN"),
        (("migrate", "start", "activity-logs"), "COMPANY_MISSING"),
        (("migrate", "status", "activity-logs", "--company", "c", "--request", "r"), "COMPANY_AMBIGUOUS"),
        (("migrate", "replay", "activity-logs", "--company", "c", "--evidence"), "LIST_MISSING"),
        (("export", "purge", JOB, "--by", " ", "--yes"), "NAME_MISSING"),
        (("export", "purge", "exp_1", "--by", " ", "--yes"), "NAME_MISSING"),
        (("export", "objects", "nope"), "There are: voucher, order"),
        ((*OBJECT, "--id", "1", "--layout", "l"), "--id, --layout"),
        ((*OBJECT, "--filter", "{"), '{"created_at"'),
        ((*ASKED, "--order", "-name", "--fresh"), "--order, --fresh"),
        (("export", "template", "save", "a\nb", "--company", "c", "--object", "order"), "one line"),
    ],
)
def test_wrong_use_ends_with_2_and_one_sentence(run: Run, arguments: tuple[str, ...], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == exit_codes.REFUSED
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("export", "status", JOB),
        ("export", "list"),
        ("export", "status", "exp_1"),
        ("export", "schedule", "list", "--company", "c"),
        ("metrics",),
        OBJECT,
        ("migrate-indexes", "status"),
        ("migrate", "status", "activity-logs", "--all-companies"),
        (*ASKED, "--mode", "first_10k_sorted"),
    ],
)
def test_a_missing_setting_is_named(run: Run, arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.exit_code == exit_codes.FAILED
    assert "SETTING_MISSING: CDP_MONGO_URI is not set" in result.stderr
    assert "Traceback" not in result.output


def test_without_local_servers_mail_says_how_to_start_them(run: Run) -> None:
    result = run("mail")
    assert result.exit_code == exit_codes.FAILED
    assert "cdp local up" in result.stderr


def test_errors_are_json_too(run: Run) -> None:
    result = run("export", "status", JOB, "--json")
    error = json.loads(result.stdout)["error"]
    assert error["code"] == "SETTING_MISSING"
    assert set(error) == {"code", "message", "details"}
    assert json.loads(run("export", "status", "--json").stdout)["error"]["code"] == "USAGE"


def test_debug_shows_where(run: Run) -> None:
    result = run("--debug", "export", "status", JOB)
    assert type(result.exception).__name__ == "ConfigurationError"


def test_doctor_without_settings_names_what_is_needed_and_what_is_off(run: Run) -> None:
    result = run("doctor", "--json")
    assert result.exit_code == exit_codes.FAILED
    answer = json.loads(result.stdout)
    states = {finding["system"]: finding["state"] for finding in answer["findings"]}
    assert answer["ok"] is False
    assert [name for name, state in states.items() if state == "broken"] == ["mongodb", "dagster", "s3", "mail"]
    assert states["alerts"] == states["notifications"] == states["export-history"] == "note"


def test_objects_need_no_settings(run: Run) -> None:
    listed = json.loads(run("export", "objects", "--json").stdout)
    assert [each["name"] for each in listed][:2] == ["voucher", "order"]
    assert len(listed) == 9
    shown = run("export", "objects", "Voucher").stdout
    for text in ("voucher_type", "more filters", "created_date", "$starts_with", "--campaign-id"):
        assert text in shown
    assert "voucher_transactions" in run("export", "objects").stdout
