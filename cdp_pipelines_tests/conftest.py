"""Fixtures of all tests: one embedded stack a session, started when the first test asks for it.

Belongs here: servers and what is fresh for each test. Not here: documents and requests (beside the tests).
"""

import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import pytest

from cdp_pipelines.local.mongo import MongoKind, available_kinds
from cdp_pipelines.local.stack import LocalStack
from cdp_pipelines_tests.support.apis import RecordedApis
from cdp_pipelines_tests.support.inbox import Inbox
from cdp_pipelines_tests.support.mongo_databases import migrated_database

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from pymongo import MongoClient
    from pymongo.database import Database

_HERE = Path(__file__).parent
# Named at collection, started never: without a server the first test that needs one says what is missing.
_MONGO_KINDS: list[MongoKind | None] = [*available_kinds()] or [None]


_ON_EACH_SERVER = ("integration/stores", "integration/pipelines", "integration/test_mongo_contract.py")
"""What depends on how MongoDB behaves. Elsewhere one server will do: the real one, if it is found."""


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """Leave out what need not run on a second MongoDB server; say by marks and order how workers share the rest."""
    left_out = {item for item in items if _mongo_kind(item) not in (None, _MONGO_KINDS[0]) and not _on_each(item)}
    config.hook.pytest_deselected(items=[item for item in items if item in left_out])
    items[:] = [item for item in items if item not in left_out]
    for item in items:
        folder = item.path.relative_to(_HERE).parts[0]
        if folder in {"integration", "e2e"}:
            item.add_marker(folder)
        # The daemon's tests share it, so one worker has them all; elsewhere a file's tests stay together.
        group = "e2e" if folder == "e2e" else f"{item.path.relative_to(_HERE)} {_mongo_kind(item)}"
        item.add_marker(pytest.mark.xdist_group(group))
    yield
    # The longest first, and one server's tests before the other's: a worker changes its servers once.
    items.sort(key=lambda item: (item.get_closest_marker("e2e") is None, _mongo_kind(item) == _MONGO_KINDS[-1]))


def _mongo_kind(item: pytest.Item) -> object:
    """The MongoDB server that a test runs on, None for a test that needs none."""
    return (
        item.callspec.params.get("stack") if isinstance(item, pytest.Function) and hasattr(item, "callspec") else None
    )


def _on_each(item: pytest.Item) -> bool:
    if item.get_closest_marker("any_mongo") is not None:
        return False
    return any(item.path.is_relative_to(_HERE / name) for name in _ON_EACH_SERVER)


@pytest.fixture(scope="session")
def stack_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the session's servers live; what runs at its end is stopped, also on failure and SIGTERM."""
    folder = tmp_path_factory.mktemp("stack")
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield folder
    finally:
        LocalStack(folder).down(delete_data=True)
        signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session", params=_MONGO_KINDS, ids=lambda kind: kind or "no-mongo")
def stack(request: pytest.FixtureRequest, stack_folder: Path) -> Iterator[LocalStack]:
    """The session's own servers, once with each MongoDB server that is found; the others stay up meanwhile."""
    own = LocalStack(stack_folder, mongo=request.param)
    own.up()
    yield own
    own.stop_one("mongo")


@pytest.fixture(scope="session")
def stack_env(stack: LocalStack) -> dict[str, str]:
    """The environment that leads to the session's servers."""
    return stack.env()


@pytest.fixture
def mongo_client(stack_env: dict[str, str]) -> "Iterator[MongoClient[dict[str, Any]]]":
    """A client with UTC-aware dates."""
    from pymongo import MongoClient

    client: MongoClient[dict[str, Any]]
    with MongoClient(
        stack_env["CDP_MONGO_URI"], tz_aware=True, uuidRepresentation="standard", serverSelectionTimeoutMS=10_000
    ) as client:
        yield client


@pytest.fixture
def mongo_db(mongo_client: "MongoClient[dict[str, Any]]") -> "Iterator[Database[dict[str, Any]]]":
    """A database of the test's own, dropped after it."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield mongo_client[name]
    mongo_client.drop_database(name)


@pytest.fixture
def migrated_db(
    mongo_client: "MongoClient[dict[str, Any]]", stack_env: dict[str, str]
) -> "Iterator[Database[dict[str, Any]]]":
    """An empty database with all indexes, nobody else's during the test."""
    with migrated_database(mongo_client, stack_env["CDP_MONGO_URI"]) as database:
        yield database


@pytest.fixture
def s3(stack_env: dict[str, str]) -> "Iterator[S3Client]":
    """An S3 client with the keys of the stack."""
    import boto3
    from botocore.config import Config

    session = boto3.Session(
        aws_access_key_id=stack_env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=stack_env["AWS_SECRET_ACCESS_KEY"],
        region_name=stack_env["AWS_REGION"],
    )
    config = Config(signature_version="s3v4", s3={"addressing_style": "path"})
    client = session.client("s3", endpoint_url=stack_env["CDP_S3_ENDPOINT_URL"], config=config)
    yield client
    client.close()


@pytest.fixture
def bucket(s3: "S3Client") -> Iterator[str]:
    """A bucket of the test's own, removed after it with all that is in it."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    yield name
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=name):
        for item in page.get("Contents", []):
            s3.delete_object(Bucket=name, Key=item["Key"])
    s3.delete_bucket(Bucket=name)


@pytest.fixture
def maildir(stack: LocalStack, stack_env: dict[str, str]) -> Iterator[Inbox]:
    """The mails since the test began, and the mail server's failures, which end with the test."""
    inbox = Inbox(Path(stack_env["CDP_MAILDIR"]), stack.mail_control_path())
    yield inbox
    inbox.control.clear()


@pytest.fixture
def http_apis(stack: LocalStack, stack_env: dict[str, str]) -> Iterator[RecordedApis]:
    """The requests to the local HTTP APIs since the test began, and their failures, which end with the test."""
    apis = RecordedApis(stack.api_records_path(), stack_env["NOTIFICATION_API_ROOT_URL"])
    yield apis
    apis.control.clear()


@pytest.fixture
def crm_api(stack: LocalStack, stack_env: dict[str, str]) -> Iterator[RecordedApis]:
    """The requests to the demo CRM's server since the test began, and its failures, which end with the test."""
    apis = RecordedApis(stack.crm_records_path(), stack_env["CRM_API_ROOT_URL"])
    yield apis
    apis.control.clear()


@pytest.fixture
def environment(stack_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of this process leads to the session's servers."""
    for name in [name for name in os.environ if name.startswith(("CDP_", "AWS_", "EXPORT_HISTORY_", "CRM_"))]:
        monkeypatch.delenv(name)
    for name, value in stack_env.items():
        monkeypatch.setenv(name, value)
    return stack_env


def _interrupt(number: int, frame: FrameType | None) -> None:
    # pytest tears down on Ctrl-C, and only then.
    raise KeyboardInterrupt
