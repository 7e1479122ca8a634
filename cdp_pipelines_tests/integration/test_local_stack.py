"""The embedded stack as a whole: up, down, what is in between, and whatever can be killed or pressed meanwhile."""

import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from pymongo import MongoClient

from cdp_pipelines.domain.errors import ConfigurationError, TransientFailure
from cdp_pipelines.local.postgres import _home
from cdp_pipelines.local.processes import with_environment
from cdp_pipelines.local.runner import MARK
from cdp_pipelines.local.server import Place
from cdp_pipelines.local.stack import LocalStack
from cdp_pipelines.local.stack_environment import shell_file
from cdp_pipelines.local.state import ServerState, save_state, state_file
from cdp_pipelines_tests.support.waiting import wait_for

SERVERS = {"mongo", "postgres", "s3", "mail", "apis", "crm"}
UP = "import sys, pathlib; from cdp_pipelines.local.stack import LocalStack; LocalStack(pathlib.Path(sys.argv[1])).up()"


def running(stack: LocalStack) -> list[psutil.Process]:
    """Every process of the stack, also those nobody wrote down."""
    return with_environment(MARK, str(stack.root))


def pids(stack: LocalStack) -> dict[str, int | None]:
    return {server.name: server.pid for server in stack.status()}


def conditions(stack: LocalStack) -> dict[str, str]:
    return {server.name: server.condition for server in stack.status()}


def mongo(stack: LocalStack) -> "MongoClient[dict[str, Any]]":
    return MongoClient(stack.env()["CDP_MONGO_URI"], serverSelectionTimeoutMS=5_000)


def listening(stack: LocalStack) -> set[str]:
    """The addresses on which the stack's processes listen."""
    found = (connection for process in running(stack) for connection in process.net_connections("tcp"))
    return {connection.laddr.ip for connection in found if connection.status == psutil.CONN_LISTEN}


def postgres_home(stack: LocalStack) -> Path:
    return _home(Place(data=stack.root / "data" / "postgres", log=stack.root, ports={}, settings={}))


def test_a_stack_from_nothing_to_nothing(tmp_path: Path) -> None:
    stack = LocalStack(tmp_path / "local")
    assert stack.status() == []
    try:
        first = stack.up()
        assert set(first.started) == SERVERS
        assert set(conditions(stack).values()) == {"running"}
        assert listening(stack) == {"127.0.0.1"}
        with mongo(stack) as client:
            client["cdp"]["kept"].insert_one({"_id": 1})
        before = pids(stack)

        again = stack.up()
        assert (again.started, again.variables, pids(stack)) == ((), first.variables, before)

        stack.down()
        assert running(stack) == []
        assert set(conditions(stack).values()) == {"stopped"}
        assert not first.file.exists()
        stack.down()

        assert stack.up().variables == first.variables
        with mongo(stack) as client:
            assert client["cdp"]["kept"].count_documents({}) == 1

        stack.up(fresh=True)
        with mongo(stack) as client:
            assert client["cdp"]["kept"].count_documents({}) == 0
    finally:
        stack.down(delete_data=True)
    assert running(stack) == []
    assert [path.name for path in stack.root.iterdir()] == ["lock"]
    assert not postgres_home(stack).exists()


def test_what_was_killed_is_started_again_and_nothing_else(tmp_path: Path) -> None:
    stack = LocalStack(tmp_path / "local")
    try:
        stack.up()
        before = pids(stack)
        for name in ("mongo", "postgres", "s3"):
            os.kill(before[name] or 0, signal.SIGKILL)
        wait_for("three servers to be gone", lambda: list(conditions(stack).values()).count("stopped") == 3)
        notes = {server.name: server.note for server in stack.status()}
        assert "ended by itself" in notes["postgres"]
        assert notes["mail"] == ""

        assert set(stack.up().started) == {"mongo", "postgres", "s3"}
        assert set(conditions(stack).values()) == {"running"}
        after = pids(stack)
        assert {name for name in SERVERS if after[name] == before[name]} == {"mail", "apis", "crm"}
    finally:
        stack.down(delete_data=True)
    assert running(stack) == []


def test_a_server_that_hangs_is_started_again(tmp_path: Path) -> None:
    stack = LocalStack(tmp_path / "local")
    try:
        stack.up()
        hung = pids(stack)["apis"]
        os.kill(hung or 0, signal.SIGSTOP)
        assert conditions(stack)["apis"] == "not answering"
        assert stack.up().started == ("apis",)
        assert hung is not None
        assert not psutil.pid_exists(hung) or psutil.Process(hung).status() == psutil.STATUS_ZOMBIE
    finally:
        stack.down(delete_data=True)


def test_a_server_that_does_not_start_is_named_and_takes_the_others_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "mongod"
    program.write_text("#!/bin/sh\necho no space left on device\nexit 1\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("CDP_MONGOD", str(program))
    stack = LocalStack(tmp_path / "local", mongo="mongod")
    with pytest.raises(TransientFailure) as failed:
        stack.up()
    assert failed.value.details["server"] == "mongo"
    assert "'mongo' did not start: its process ended" in failed.value.message
    assert "no space left on device" in failed.value.message
    assert running(stack) == []
    stack.down(delete_data=True)


def test_what_ran_before_a_failed_up_goes_on(tmp_path: Path) -> None:
    stack = LocalStack(tmp_path / "local")
    try:
        stack.up()
        before = pids(stack)
        stack.stop_one("mail")
        # A folder where the Maildir must be written: the server cannot start.
        shutil.rmtree(stack.maildir)
        stack.maildir.write_text("in the way", encoding="utf-8")
        with pytest.raises(TransientFailure, match="'mail' did not start"):
            stack.up()
        assert {name: pid for name, pid in pids(stack).items() if pid} == {
            name: pid for name, pid in before.items() if name != "mail"
        }
    finally:
        stack.down(delete_data=True)
    assert running(stack) == []


def test_settings_that_name_no_program_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDP_MONGOD", str(tmp_path / "missing"))
    stack = LocalStack(tmp_path / "local")
    with pytest.raises(ConfigurationError, match="CDP_MONGOD"):
        stack.up()
    assert running(stack) == []


def test_two_who_start_the_same_stack_at_once_share_it(tmp_path: Path) -> None:
    root = tmp_path / "local"
    try:
        with ThreadPoolExecutor(2) as pool:
            both = list(pool.map(lambda _: LocalStack(root).up(), range(2)))
        assert sorted(len(one.started) for one in both) == [0, len(SERVERS)]
        assert both[0].variables == both[1].variables
    finally:
        LocalStack(root).down(delete_data=True)


def test_two_stacks_with_the_same_ports_come_up_as_two(tmp_path: Path) -> None:
    """As where a folder was copied; whoever is slower moves, and is not content with the other's server."""
    first, second = LocalStack(tmp_path / "first"), LocalStack(tmp_path / "second")
    ports = {name: ServerState(ports=server.choose_ports(set())) for name, server in first._servers.items()}
    # Not S3's: `weed` would hang where the other one had a port of its for a moment and has moved since.
    shared = {name: state for name, state in ports.items() if name != "s3"}
    for stack, known in ((first, ports), (second, shared)):
        stack.root.mkdir()
        save_state(state_file(stack.root), known)
    try:
        with ThreadPoolExecutor(2) as pool:
            both = list(pool.map(LocalStack.up, (first, second)))
        assert [set(one.started) for one in both] == [SERVERS, SERVERS]
        assert [set(conditions(stack).values()) for stack in (first, second)] == [{"running"}, {"running"}]
        addresses = [{server.address for server in stack.status()} for stack in (first, second)]
        assert addresses[0].isdisjoint(addresses[1])
    finally:
        for stack in (first, second):
            stack.down(delete_data=True)


@pytest.mark.skipif(os.getuid() != 0 or shutil.which("setpriv") is None, reason="needs root, and setpriv to give up")
def test_root_that_may_not_look_into_other_accounts_processes_has_its_servers(tmp_path: Path) -> None:
    """As in a container with the usual capabilities, where PostgreSQL runs as another account."""
    stack = LocalStack(tmp_path / "local")
    limited = ["setpriv", "--bounding-set", "-sys_ptrace", sys.executable, "-c", UP, str(stack.root)]
    try:
        subprocess.run(limited, check=True, timeout=120)
        assert set(conditions(stack).values()) == {"running"}
    finally:
        stack.down(delete_data=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "killed"])
def test_an_interrupted_up_leaves_nothing_that_down_does_not_find(tmp_path: Path, number: signal.Signals) -> None:
    stack = LocalStack(tmp_path / "local")
    child = subprocess.Popen([sys.executable, "-c", UP, str(stack.root)], stderr=subprocess.DEVNULL)
    try:
        wait_for("the first server's process", lambda: running(stack))
        child.send_signal(number)
        assert child.wait(60) != 0
        if number == signal.SIGINT:
            assert running(stack) == []
    finally:
        stack.down(delete_data=True)
        child.wait(60)
    assert running(stack) == []
    assert not postgres_home(stack).exists()


def test_processes_that_nobody_wrote_down_are_ended(tmp_path: Path) -> None:
    stack = LocalStack(tmp_path / "local")
    try:
        stack.up()
        (stack.root / "state.json").unlink()
        stack.down()
        assert running(stack) == []
        assert set(stack.up().started) == SERVERS
    finally:
        stack.down(delete_data=True)


@pytest.mark.parametrize("name", ["mongo", "s3", "mail", "postgres", "apis", "crm"])
def test_one_server_stops_and_comes_back_on_its_port(stack: LocalStack, name: str) -> None:
    variables, before = stack.env(), pids(stack)
    stack.stop_one(name)
    try:
        assert conditions(stack) == {server: "stopped" if server == name else "running" for server in SERVERS}
        stack.stop_one(name)
    finally:
        stack.start_one(name)
    stack.start_one(name)
    assert set(conditions(stack).values()) == {"running"}
    assert stack.env() == variables
    after = pids(stack)
    assert {server for server in SERVERS if before[server] != after[server]} == {name}


def test_one_server_does_not_take_another_port(stack: LocalStack) -> None:
    import socket

    stack.stop_one("mail")
    try:
        with (
            socket.create_server(("127.0.0.1", int(stack.env()["CDP_SMTP_PORT"]))),
            pytest.raises(TransientFailure, match="another program listens on its port"),
        ):
            stack.start_one("mail")
    finally:
        stack.start_one("mail")


def test_a_port_that_is_about_to_be_free_is_waited_for(stack: LocalStack) -> None:
    """As after a SIGKILL: the kernel keeps a server's port until its last thread is gone."""
    import socket
    import threading

    stack.stop_one("mail")
    dying = socket.create_server(("127.0.0.1", int(stack.env()["CDP_SMTP_PORT"])))
    timer = threading.Timer(1.0, dying.close)
    timer.start()
    try:
        stack.start_one("mail")
    finally:
        timer.join()
    assert conditions(stack)["mail"] == "running"


def test_unknown_names_and_stacks_are_refused(stack: LocalStack, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no local server 'redis'"):
        stack.stop_one("redis")
    nothing = LocalStack(tmp_path / "nothing")
    for use in (nothing.env, lambda: nothing.start_one("mongo"), lambda: nothing.stop_one("mongo")):
        with pytest.raises(ConfigurationError) as refused:
            use()
        assert refused.value.code == "LOCAL_STACK_DOWN"
    nothing.down(delete_data=True)


def test_the_environment_is_whole_and_private(stack: LocalStack) -> None:
    variables = stack.env()
    assert {
        "CDP_MONGO_URI", "CDP_MONGO_DB", "DAGSTER_PG_URL", "CRM_AUDIT_DATABASE_URL", "CDP_S3_ENDPOINT_URL",
        "CDP_S3_BUCKET", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION",
        "CDP_SMTP_HOST", "CDP_SMTP_PORT", "CDP_SMTP_TLS", "CDP_EMAIL_FROM", "CDP_MAILDIR", "DAGSTER_HOME",
        "NOTIFICATION_API_ROOT_URL", "NOTIFICATION_API_CLIENT_ID", "NOTIFICATION_API_SECRET",
        "LAUNCHPAD_API_ROOT_URL", "LAUNCHPAD_API_AUTH", "CDP_ALERT_WEBHOOK_URL",
        "CRM_API_ROOT_URL", "CRM_API_AUTH", "CDP_ATTACHMENT_TRUSTED_HOSTS", "CDP_FILES_ROOT_URL",
    } <= variables.keys()  # fmt: skip
    assert "EXPORT_HISTORY_API_ROOT_URL" not in variables
    for name in ("env", "state.json"):
        assert (stack.root / name).stat().st_mode & 0o077 == 0
    assert Path(variables["DAGSTER_HOME"]).is_dir()


def test_a_shell_can_source_the_environment(tmp_path: Path) -> None:
    variables = {"CDP_EMAIL_FROM": 'CDP\'s "exports" <a@b.example> $HOME `id`', "PLAIN": "x"}
    path = tmp_path / "env"
    path.write_text(shell_file(variables), encoding="utf-8")
    script = f'. "{path}"; printf "%s|%s|%s" "$CDP_EMAIL_FROM" "$PLAIN" "$AWS_SESSION_TOKEN"'
    environment = {"PATH": os.environ["PATH"], "AWS_SESSION_TOKEN": "of another account"}
    answer = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, env=environment)
    assert answer.stdout == f"{variables['CDP_EMAIL_FROM']}|x|"


def test_both_databases_of_postgres_take_a_login_with_password_only(stack_env: dict[str, str]) -> None:
    import psycopg2  # type: ignore[import-untyped]

    for name in ("DAGSTER_PG_URL", "CRM_AUDIT_DATABASE_URL"):
        connection = psycopg2.connect(stack_env[name])
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_database(), lower('ÄÉ'), current_setting('server_encoding')")
            assert cursor.fetchone() == (stack_env[name].rsplit("/", 1)[-1], "äé", "UTF8")
        connection.close()
        wrong = stack_env[name].replace("postgres:", "postgres:x", 1)
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            psycopg2.connect(wrong)
