"""From environment variables to a connection, and on to child processes."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from connections.kafka import KafkaConnection
from connections.secret import Secret
from schemas.errors import SettingsError
from tocsin.addresses import environment_of, kafka_connection, redis_address
from tocsin.settings import load_settings

PASSWORD = "geheim,=\"'\\"  # noqa: S105


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text(PASSWORD + "\n")
    return path


def of_environment(monkeypatch: pytest.MonkeyPatch, **variables: object) -> KafkaConnection:
    monkeypatch.setenv("TOCSIN_KAFKA", "a:1,b:2")
    for name, value in variables.items():
        monkeypatch.setenv(f"TOCSIN_KAFKA_{name}", str(value))
    return kafka_connection(load_settings(), None)


def test_without_security_it_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = of_environment(monkeypatch)
    assert connection == KafkaConnection("a:1,b:2")
    assert connection.client_options() == {"bootstrap_servers": ["a:1", "b:2"], "security_protocol": "PLAINTEXT"}


def test_a_password_goes_over_tls_unless_said_otherwise(monkeypatch: pytest.MonkeyPatch, password_file: Path) -> None:
    connection = of_environment(monkeypatch, USERNAME="u", PASSWORD_FILE=password_file)
    options = connection.client_options()
    assert (options["security_protocol"], options["sasl_mechanism"]) == ("SASL_SSL", "SCRAM-SHA-512")
    assert options["sasl_plain_password"] == PASSWORD
    assert options["ssl_context"].check_hostname

    monkeypatch.setenv("TOCSIN_KAFKA_PROTOCOL", "SASL_PLAINTEXT")
    assert "ssl_context" not in kafka_connection(load_settings(), None).client_options()


def test_a_rotated_password_counts_at_once(monkeypatch: pytest.MonkeyPatch, password_file: Path) -> None:
    connection = of_environment(monkeypatch, USERNAME="u", PASSWORD_FILE=password_file)
    password_file.write_text("new")
    assert connection.client_options()["sasl_plain_password"] == "new"  # noqa: S105


@pytest.mark.parametrize("by_file", [False, True])
def test_the_password_is_shown_nowhere(monkeypatch: pytest.MonkeyPatch, password_file: Path, by_file: bool) -> None:
    given: dict[str, object] = {"PASSWORD_FILE": password_file} if by_file else {"PASSWORD": PASSWORD}
    connection = of_environment(monkeypatch, USERNAME="u", **given)
    for text in (str(connection), repr(connection), f"{connection}", repr(load_settings()), connection.principal):
        assert "geheim" not in text


def test_a_child_process_gets_the_same_connection(monkeypatch: pytest.MonkeyPatch, password_file: Path) -> None:
    connection = of_environment(
        monkeypatch, USERNAME="u", PASSWORD_FILE=password_file, MECHANISM="SCRAM-SHA-256", CA_FILE="/ca",
        CERTIFICATE_FILE="/cert", KEY_FILE="/key", KEY_PASSWORD_FILE="/secret",  # noqa: S106
    )  # fmt: skip
    for name, value in environment_of(connection).items():
        monkeypatch.setenv(name, value)
    assert kafka_connection(load_settings(), None) == connection


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"USERNAME": "u"}, "needs a username and a password"),
        ({"PASSWORD": "geheim", "PROTOCOL": "SASL_SSL"}, "needs a username and a password"),
        ({"USERNAME": "u", "PASSWORD_FILE": "/missing"}, "/missing.*mount it"),
        ({"MECHANISM": "OAUTHBEARER"}, "token file or a token endpoint"),
        ({"TOKEN_URL": "https://issuer/token"}, "TOCSIN_KAFKA_USERNAME"),
        ({"TOKEN_URL": "http://issuer/token", "USERNAME": "u", "PASSWORD": "geheim"}, "must begin with https"),
        ({"TOKEN_URL": "https://u:geheim@issuer/", "USERNAME": "u", "PASSWORD": "geheim"}, "without a user"),
        ({"MECHANISM": "GSSAPI"}, "TOCSIN_KAFKA_MECHANISM='GSSAPI'"),
    ],
)
def test_a_setting_that_does_not_fit_is_named(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], message: str
) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        of_environment(monkeypatch, **variables)
    assert "geheim" not in "".join(traceback.format_exception(caught.value))


def test_certificates_that_are_none_are_named(tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("none")
    for variables in (
        {"ca": tmp_path / "none.pem"},
        {"ca": tmp_path / "missing"},
        {"certificate": tmp_path / "none.pem"},
    ):
        from connections.tls import TlsFiles

        with pytest.raises(SettingsError, match=str(next(iter(variables.values())))):
            KafkaConnection("a:1", "SSL", tls=TlsFiles(**variables)).client_options()


def test_a_password_in_kafkas_address_is_not_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        KafkaConnection("u:geheim@host")
    assert "geheim" not in str(caught.value)


def test_redis_by_files(monkeypatch: pytest.MonkeyPatch, password_file: Path) -> None:
    monkeypatch.setenv("TOCSIN_REDIS_URL", "rediss://host:6379/0")
    monkeypatch.setenv("TOCSIN_REDIS_USERNAME", "worker")
    monkeypatch.setenv("TOCSIN_REDIS_PASSWORD_FILE", str(password_file))
    monkeypatch.setenv("TOCSIN_REDIS_CA_FILE", str(password_file))
    import redis

    url = redis_address(load_settings(), None)
    used = redis.Redis.from_url(url).connection_pool.connection_kwargs
    assert (used["username"], used["password"], used["ssl_ca_certs"]) == ("worker", PASSWORD, str(password_file))

    with pytest.raises(SettingsError, match="rediss://"):
        redis_address(load_settings(), "redis://host:6379/0")
    with pytest.raises(SettingsError, match="leave out one") as caught:
        redis_address(load_settings(), "rediss://u:geheim@host:6379/0")
    assert "geheim" not in str(caught.value)


def test_an_empty_secret_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(SettingsError, match="is empty"):
        Secret(file=tmp_path / "empty").read()
