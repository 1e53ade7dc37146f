"""Redis as companies have it: users with least rights, and TLS with an authority of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.integration.authority import Authority
from tests.integration.tls_proxy import tls_proxy
from tocsin.stack.stack import Stack

pytestmark = pytest.mark.integration

RIGHTS = ["~tocsin:*", "+@read", "+@write", "+@scripting", "+@connection"]
"""As docs/kafka-security.md names them."""
SECRET = "of the test"  # noqa: S105


@pytest.fixture
def admin(stack: Stack) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(stack.redis_admin_url) as client:
        yield client
        client.acl_deluser("worker")


def worker(stack: Stack, group: str, url: str, timeout: float = 60.0, **settings: object) -> tuple[int, str]:
    """Exit code and output of a worker; -9 where it still runs in the end."""
    environment = {**os.environ, **{f"TOCSIN_REDIS_{name}": str(value) for name, value in settings.items()}}
    with subprocess.Popen(
        [sys.executable, "-m", "tocsin", "worker", "--kafka", stack.bootstrap, "--redis", url, "--group", group],
        env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "worker is ready" in line:
                process.kill()
        return process.wait(timeout), "".join(lines)


def port(stack: Stack) -> int:
    return int(stack.redis_url.rpartition(":")[2].partition("/")[0])


def assert_denied(ended: tuple[int, str], *parts: str) -> None:
    code, output = ended
    assert code == 2, output
    for part in parts:
        assert part in output.strip().splitlines()[-1], output
    assert SECRET not in output


def test_a_user_with_the_rights_of_a_worker(stack: Stack, admin: redis.Redis, group: str, tmp_path: Path) -> None:
    admin.execute_command("ACL", "SETUSER", "worker", "on", f">{SECRET}", *RIGHTS)  # type: ignore[no-untyped-call]
    password = tmp_path / "password"
    password.write_text(SECRET + "\n")
    authority = Authority(tmp_path)
    with tls_proxy(port(stack), authority.issue("redis"), authority.ca) as secured:
        url = f"rediss://127.0.0.1:{secured}/0"
        own = authority.issue("worker")
        settings = {"USERNAME": "worker", "PASSWORD_FILE": password, "CA_FILE": authority.ca, "CERTIFICATE_FILE": own}
        code, output = worker(stack, group, url, **settings, KEY_FILE=own)
    assert "worker is ready" in output
    assert code == -9


def test_a_wrong_password(stack: Stack, group: str, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text(SECRET)
    url = f"redis://127.0.0.1:{port(stack)}/0"
    ended = worker(stack, group, url, USERNAME="tocsin", PASSWORD_FILE=password)
    assert_denied(ended, "does not authenticate user 'tocsin'", "TOCSIN_REDIS_PASSWORD_FILE")
    assert_denied(worker(stack, group, url), "does not authenticate user 'default'")


def test_a_missing_right(stack: Stack, admin: redis.Redis, group: str, tmp_path: Path) -> None:
    admin.execute_command("ACL", "SETUSER", "worker", "on", f">{SECRET}", "~other:*", *RIGHTS[1:])  # type: ignore[no-untyped-call]
    password = tmp_path / "password"
    password.write_text(SECRET)
    ended = worker(stack, group, f"redis://127.0.0.1:{port(stack)}/0", USERNAME="worker", PASSWORD_FILE=password)
    assert_denied(ended, "denies user 'worker' a right", "key")


def test_certificates_that_do_not_hold(stack: Stack, group: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with tls_proxy(port(stack), authority.issue("redis")) as secured:
        url = stack.redis_url.replace("redis://", "rediss://").replace(f":{port(stack)}/", f":{secured}/")
        assert_denied(worker(stack, group, url), "is not trusted", "TOCSIN_REDIS_CA_FILE")
    with tls_proxy(port(stack), authority.issue("late", expired=True)) as secured:
        url = stack.redis_url.replace("redis://", "rediss://").replace(f":{port(stack)}/", f":{secured}/")
        assert_denied(worker(stack, group, url, CA_FILE=authority.ca), "has expired")
