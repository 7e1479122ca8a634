from collections.abc import Iterator
from pathlib import Path

import pytest

from cdp_pipelines.cli.doctor.entity_exports import check_entity_exports
from cdp_pipelines.cli.doctor.findings import Check, Finding, Findings, run_check
from cdp_pipelines.cli.doctor.machine import check_limits, check_temporary_files
from cdp_pipelines.cli.doctor.neighbours import check_export_history, check_notifications
from cdp_pipelines.cli.doctor_command import SYSTEMS, chosen_systems, exit_code_of, verdict
from cdp_pipelines.cli.exit_codes import Refused
from cdp_pipelines.domain.errors import TransientFailure


def test_systems_are_chosen_in_their_order() -> None:
    assert chosen_systems(SYSTEMS, ()) == list(SYSTEMS)
    assert chosen_systems(["s3", "mongodb"], ()) == ["mongodb", "s3"]
    assert "dagster" not in chosen_systems(SYSTEMS, ["dagster"])
    with pytest.raises(Refused):
        chosen_systems(["coffee"], ())


def test_only_what_is_broken_fails() -> None:
    findings = Findings("mongodb")
    fine = [findings.ok("a", "b"), findings.note("c", "d", "e")]
    assert exit_code_of(fine) == 0
    assert verdict(fine) == "All that is needed works."
    broken = [*fine, findings.broken("version", "5.0", "Upgrade.")]
    assert exit_code_of(broken) == 1
    assert verdict(broken) == "1 broken. First: mongodb, version: Upgrade."


def test_an_error_is_a_finding_and_what_was_found_before_stays() -> None:
    def check(findings: Findings) -> Iterator[Finding]:
        yield findings.ok("settings", "there")
        raise TransientFailure("MONGO_UNAVAILABLE", "It did not answer.")

    found = list(run_check("mongodb", check))
    assert [(f.check, f.state) for f in found] == [("settings", "ok"), ("MONGO_UNAVAILABLE", "broken")]


def test_a_check_that_fails_itself_tells_no_secret() -> None:
    def check(findings: Findings) -> Iterator[Finding]:
        raise RuntimeError("mongodb://user:s3cret@host/")

    (finding,) = run_check("mongodb", check)
    assert finding.state == "broken"
    assert "s3cret" not in str(finding)


def test_findings_mask_credentials() -> None:
    assert (
        Findings("s").broken("c", "no answer from postgresql://u:p@h/d").detail == "no answer from postgresql://***@h/d"
    )


def test_a_temporary_folder_that_cannot_be_made_is_broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CDP_TEMP_DIR", str(tmp_path / "new"))
    assert next(run_check("temp", check_temporary_files)).state == "ok"
    monkeypatch.setenv("CDP_TEMP_DIR", "/dev/null/none")
    (finding,) = run_check("temp", check_temporary_files)
    assert finding.state == "broken"
    assert "CDP_TEMP_DIR" in finding.advice


def test_a_limit_that_is_no_number_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDP_EXPORT_RATE_LIMIT", "many")
    (finding,) = run_check("limits", check_limits)
    assert (finding.check, finding.state) == ("SETTING_INVALID", "broken")


def test_links_that_outlive_their_files_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CDP_MONGO_URI", "CDP_WEBHOOK_SIGNING_KEY"):
        monkeypatch.delenv(name, raising=False)
    states = {each.check: each.state for each in run_check("entity-exports", check_entity_exports)}
    assert states == {"webhooks": "note", "pages": "ok", "parts": "ok", "life": "ok"}
    monkeypatch.setenv("CDP_EXPORT_FILE_TTL", "60")
    assert [each.state for each in run_check("entity-exports", check_entity_exports)][-1] == "note"


@pytest.mark.parametrize(
    ("api", "check"), [("NOTIFICATION_API", check_notifications), ("EXPORT_HISTORY_API", check_export_history)]
)
def test_a_missing_credential_is_named(api: str, check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ROOT_URL", "CLIENT_ID", "SECRET"):
        monkeypatch.delenv(f"{api}_{name}", raising=False)
    assert [each.state for each in run_check("x", check)] == ["note"]
    monkeypatch.setenv(f"{api}_CLIENT_ID", "client")
    (alone,) = run_check("x", check)
    assert (alone.state, f"{api}_CLIENT_ID is set without {api}_ROOT_URL" in alone.detail) == ("note", True)
    monkeypatch.delenv(f"{api}_CLIENT_ID")
    monkeypatch.setenv(f"{api}_ROOT_URL", "http://127.0.0.1:9")
    (finding,) = run_check("x", check)
    assert (finding.check, finding.state) == ("SETTING_MISSING", "broken")
    assert f"{api}_CLIENT_ID is not set" in finding.detail
    monkeypatch.setenv(f"{api}_CLIENT_ID", "client")
    (finding,) = run_check("x", check)
    assert f"{api}_SECRET is not set" in finding.detail
    monkeypatch.setenv(f"{api}_SECRET", "s3cret")
    (finding,) = run_check("x", check)
    assert (finding.check, "s3cret" in str(finding)) == ("reachable", False)
