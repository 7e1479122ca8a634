"""What people are told of a failure, for every error code that can end an export, in both languages."""

import ast
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import cdp_pipelines
from cdp_pipelines.domain.contact_export.messages import compose as compose_contact
from cdp_pipelines.domain.contact_export.messages import notification_text
from cdp_pipelines.domain.entity_export.messages import compose as compose_entity
from cdp_pipelines.domain.entity_export.webhook import message_of
from cdp_pipelines.domain.failure_words import ANY_FAILURE, FAILURE_WORDS, failure_reason, failure_words
from cdp_pipelines.pipelines.contact_export import deliver
from cdp_pipelines.pipelines.entity_export import notices

PACKAGE = Path(cdp_pipelines.__file__).parent
ENDS_NO_EXPORT = re.compile(
    r"/(?:local|cli|activity_logs|contact_notes|migrations|companies)/|crm_|launchpad|safe_http|attachment|export_history"
    r"|migration_requests|notifications|export_schedules|schedules\.py|http_client|web_address"
)
"""Modules whose errors never end an export: of migrations, of commands, and of notices that an export outlives."""
NOT_OF_EXPORTS = {"OWNERSHIP_LOST", "WEBHOOK_BLOCKED", "WEBHOOK_FAILED", "WEBHOOK_REFUSED"}
RAISED = re.compile(r"(?:Failure|Error|Rejected|RequestProblem|_Problem)$")
CODE = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|FORBIDDEN|[a-z]+(?:_[a-z]+)+")

OPERATORS_MESSAGE = (
    "The bucket named by CDP_S3_BUCKET (cdp-exports) at http://10.0.0.7:9000 refused private/exports/x.csv, "
    "SQLSTATE 28P01; see /var/lib/cdp and docs/settings.md"
)
FORBIDDEN_WORDS = re.compile(
    r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b|\b[a-z]+_[a-z_]+\b|https?:|://|\d|/|\\|\.(?:md|py|csv|com)\b|"
    r"\b(?:bucket|mongo\w*|smtp|s3|server|database|host|port|token|key|dagster|sensor|setting|config\w*|sql\w*|exception)\b",
    re.IGNORECASE,
)


def codes_in(path: Path) -> set[str]:
    """The codes that a module's errors are made with, as literals or module constants."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants = {
        target.id: node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    found = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        called = ast.unparse(node.func)
        if RAISED.search(called) or called == "super().__init__":
            code = ast.literal_eval(node.args[0]) if isinstance(node.args[0], ast.Constant) else None
            if isinstance(node.args[0], ast.Name):
                code = constants.get(node.args[0].id)
            if isinstance(code, str) and CODE.fullmatch(code):
                found.add(code)
    return found


def codes_that_end_exports() -> list[str]:
    found: set[str] = {"RUN_DIED", "RUN_CANCELED"}
    for path in PACKAGE.rglob("*.py"):
        if not ENDS_NO_EXPORT.search(path.relative_to(PACKAGE.parent).as_posix()):
            found |= codes_in(path)
    return sorted(found - NOT_OF_EXPORTS)


CODES = codes_that_end_exports()
ERROR = {"message": OPERATORS_MESSAGE, "details": {"bucket": "cdp-exports"}}
CONTACT: dict[str, Any] = {
    "job_id": "6d54fbbf", "company_sso_id": "company", "timezone": "Asia/Jakarta", "success_count": 0,
    # As a document from before has it.
    "failure_reason": OPERATORS_MESSAGE,
}  # fmt: skip
ENTITY: dict[str, Any] = {
    "id": "exp_x", "company_sso_id": "company", "exported_object": "voucher", "status": "ERROR",
    "ended_at": datetime(2025, 1, 1, tzinfo=UTC),
}  # fmt: skip


def test_the_codes_are_found() -> None:
    assert {"OBJECT_STORE_BUCKET_MISSING", "SMTP_REFUSED", "INTERNAL_ERROR", "invalid_export_fields", "FORBIDDEN"} <= {
        *CODES
    }
    assert len(CODES) > 30


@pytest.mark.parametrize("code", CODES)
def test_every_code_that_can_end_an_export_has_a_sentence(code: str) -> None:
    assert code in FAILURE_WORDS, f"{code}: say in failure_words.py what its user is told"


@pytest.mark.parametrize("code", [*CODES, "A_CODE_OF_TOMORROW", "CRM_REFUSED", ""])
def test_a_sentence_says_what_happened_and_nothing_of_ours(code: str) -> None:
    words = failure_words(code)
    for text in (str(words), words.indonesian):
        assert not FORBIDDEN_WORDS.search(text), text
        assert code not in text or not code
        assert text[0].isupper()
        assert text.endswith(".")
    assert str(words) != words.indonesian


@pytest.mark.parametrize("code", [None, 7, ["SMTP_REFUSED"], {"a": 1}, "SMTP"])
def test_what_is_not_known_gets_a_sentence_that_is_always_true(code: object) -> None:
    assert failure_words(code) is ANY_FAILURE
    assert failure_reason({"code": code}, "id") == ANY_FAILURE.indonesian


@pytest.mark.parametrize("locale", ["en", "id-ID", "in_ID", None, "fr", 5])
@pytest.mark.parametrize("code", [*CODES, "A_CODE_OF_TOMORROW"])
def test_mail_and_notification_of_a_contact_export_are_for_its_user(code: str, locale: object) -> None:
    facts = deliver.message_facts({**CONTACT, "locale": locale, "error": {"code": code, **ERROR}})
    mail = compose_contact("failed", facts)
    expected = failure_words(code).indonesian if locale in {"id-ID", "in_ID"} else str(failure_words(code))
    for text in (mail.subject, mail.text, mail.html, *notification_text("failed", facts)):
        assert code not in text
        assert not re.search(r"CDP_|S3|10\.0\.0\.7|28P01|cdp-exports|/var|docs/", text)
    assert expected in mail.text


@pytest.mark.parametrize("locale", ["en", "id"])
@pytest.mark.parametrize("code", [*CODES, "A_CODE_OF_TOMORROW"])
def test_the_mail_of_an_entity_export_is_for_its_user(code: str, locale: str) -> None:
    facts = notices.message_facts({**ENTITY, "locale": locale, "error": {"code": code, **ERROR}})
    mail = compose_entity("failed", facts)
    for text in (mail.subject, mail.text, mail.html):
        assert code not in text
        assert not re.search(r"CDP_|S3|10\.0\.0\.7|28P01|cdp-exports|/var|docs/", text)
    assert (failure_words(code).indonesian if locale == "id" else str(failure_words(code))) in mail.text


@pytest.mark.parametrize(
    "code", ["OBJECT_STORE_BUCKET_MISSING", "SETTING_MISSING", "MONGO_REFUSED", "A_CODE_OF_TOMORROW"]
)
def test_a_webhook_has_the_code_and_nothing_of_ours(code: str) -> None:
    error = json.loads(message_of({**ENTITY, "error": {"code": code, **ERROR}}).body)["data"]["error"]

    assert error == {"code": code, "message": str(failure_words(code))}


def test_a_webhook_about_a_request_says_what_is_wrong_with_it() -> None:
    wrong = {"code": "invalid_export_fields", "message": "voucher has no field colour."}

    assert json.loads(message_of({**ENTITY, "error": wrong}).body)["data"]["error"] == wrong
