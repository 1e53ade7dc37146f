"""Kafka and Redis of a command: from an option, else from the environment, else from the local stack."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

from connections.kafka import KafkaConnection, Mechanism, Protocol
from connections.secret import Secret
from connections.tls import TlsFiles
from connections.tokens import TokenEndpoint
from schemas.addresses import without_password
from schemas.errors import SettingsError
from tocsin.settings import PREFIX, Settings
from tocsin.stack.kafka_probe import parse_bootstrap
from tocsin.stack.record import ServiceRecord, StackRecord

_REDIS_SCHEMES = frozenset({"redis", "rediss", "unix"})


def kafka_connection(settings: Settings, option: KafkaConnection | str | None) -> KafkaConnection:
    """The connection to Kafka: its address, and the security that the settings describe.

    Raises:
        SettingsError: no address is given and no local stack runs, the address is not host:port, or the security
            settings do not fit together.
    """
    if isinstance(option, KafkaConnection):
        return option
    address = option or settings.kafka or _local(settings, "kafka", "--kafka HOST:PORT or TOCSIN_KAFKA").address
    parse_bootstrap(address)
    local = StackRecord.load(settings.data).services.get("kafka")
    if local is not None and not local.given and local.address == address:
        return local.kafka()
    secret = _password(settings)
    token, endpoint = None, None
    if settings.kafka_token_file is not None:
        token = Secret(file=settings.kafka_token_file)
    if settings.kafka_token_url is not None:
        if settings.kafka_username is None or secret is None:
            raise SettingsError(
                "TOCSIN_KAFKA_TOKEN_URL needs the client's id in TOCSIN_KAFKA_USERNAME and its secret in"
                " TOCSIN_KAFKA_PASSWORD_FILE"
            )
        endpoint = TokenEndpoint(settings.kafka_token_url, settings.kafka_username, secret, settings.kafka_token_scope)
    return KafkaConnection(
        address,
        protocol=_protocol(settings),
        mechanism=_mechanism(settings),
        username=settings.kafka_username,
        password=secret,
        token=token,
        endpoint=endpoint,
        tls=TlsFiles(
            settings.kafka_ca_file,
            settings.kafka_certificate_file,
            settings.kafka_key_file,
            None if settings.kafka_key_password_file is None else Secret(file=settings.kafka_key_password_file),
        ),
    )


def environment_of(connection: KafkaConnection) -> dict[str, str]:
    """The settings that give a child process this connection, whatever it inherits: what is not used is empty.

    Secrets in files are passed as files.
    """
    variables: dict[str, str | Path | None] = {
        "KAFKA": connection.address,
        "KAFKA_PROTOCOL": connection.protocol,
        "KAFKA_MECHANISM": connection.mechanism if connection.uses_sasl else None,
        "KAFKA_USERNAME": connection.username,
        "KAFKA_TOKEN_FILE": None if connection.token is None else connection.token.file,
        "KAFKA_CA_FILE": connection.tls.ca,
        "KAFKA_CERTIFICATE_FILE": connection.tls.certificate,
        "KAFKA_KEY_FILE": connection.tls.key,
        "KAFKA_KEY_PASSWORD_FILE": None if connection.tls.key_password is None else connection.tls.key_password.file,
    }
    if connection.password is not None and connection.password.file is not None:
        variables["KAFKA_PASSWORD_FILE"] = connection.password.file
    elif connection.password is not None:
        variables["KAFKA_PASSWORD"] = connection.password.value
    if connection.endpoint is not None:
        variables |= {"KAFKA_TOKEN_URL": connection.endpoint.url, "KAFKA_TOKEN_SCOPE": connection.endpoint.scope}
    return {
        PREFIX + name.upper(): str(variables.get(name.upper()) or "")
        for name in Settings.model_fields
        if name.startswith("kafka")
    }


def redis_address(settings: Settings, option: str | None) -> str:
    """Redis's URL, with the user, password and certificates of the settings.

    Raises:
        SettingsError: no address is given and no local stack runs, or the address is not a Redis URL.
    """
    url = option or settings.redis_url or _local(settings, "redis", "--redis URL or TOCSIN_REDIS_URL").address
    if not _is_redis_url(url):
        raise SettingsError(f"Redis address {without_password(url)!r} is not a URL such as redis://localhost:6379/0")
    files = {
        "ssl_ca_certs": settings.redis_ca_file,
        "ssl_certfile": settings.redis_certificate_file,
        "ssl_keyfile": settings.redis_key_file,
    }
    given = {name: str(path) for name, path in files.items() if path is not None}
    if given and not url.startswith("rediss://"):
        raise SettingsError(f"Redis at {without_password(url)} is not asked for TLS: write rediss:// in its address")
    for path in given.values():
        Secret(file=Path(path)).read()
    return _with_query(_with_user(url, settings), given)


def _with_user(url: str, settings: Settings) -> str:
    if settings.redis_username is None and settings.redis_password_file is None:
        return url
    scheme, _, rest = url.partition("://")
    given, _, host = rest.rpartition("@")
    if given:
        raise SettingsError(
            f"Redis at {without_password(url)} has a user in its address and another in TOCSIN_REDIS_USERNAME or"
            " TOCSIN_REDIS_PASSWORD_FILE: leave out one"
        )
    password = "" if settings.redis_password_file is None else Secret(file=settings.redis_password_file).read()
    return f"{scheme}://{quote(settings.redis_username or '', safe='')}:{quote(password, safe='')}@{host}"


def _with_query(url: str, query: dict[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(query)}" if query else url


def _protocol(settings: Settings) -> Protocol:
    if settings.kafka_protocol is not None:
        return settings.kafka_protocol
    if settings.kafka_username or settings.kafka_token_file or settings.kafka_token_url or settings.kafka_mechanism:
        return "SASL_SSL"
    return "SSL" if settings.kafka_ca_file or settings.kafka_certificate_file else "PLAINTEXT"


def _mechanism(settings: Settings) -> Mechanism:
    if settings.kafka_mechanism is not None:
        return settings.kafka_mechanism
    return "OAUTHBEARER" if settings.kafka_token_file or settings.kafka_token_url else "SCRAM-SHA-512"


def _password(settings: Settings) -> Secret | None:
    if settings.kafka_password_file is not None:
        if settings.kafka_password is not None:
            raise SettingsError("TOCSIN_KAFKA_PASSWORD and TOCSIN_KAFKA_PASSWORD_FILE are both set: leave out one")
        secret = Secret(file=settings.kafka_password_file)
        secret.read()  # a missing file is reported before anything is tried
        return secret
    return None if settings.kafka_password is None else Secret(settings.kafka_password.get_secret_value())


def _is_redis_url(url: str) -> bool:
    try:
        port = urlsplit(url).port
    except ValueError:
        return False
    return port != 0 and url.partition("://")[0] in _REDIS_SCHEMES


def _local(settings: Settings, service: str, alternative: str) -> ServiceRecord:
    record = StackRecord.load(settings.data)
    known = record.services.get(service)
    if record.mode == "down" or known is None or not (known.given or service in record.processes()):
        raise SettingsError(
            f"no local stack runs in {settings.data}: start one with `tocsin up`, or give an address with {alternative}"
        )
    return known
