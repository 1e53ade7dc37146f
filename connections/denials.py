"""Refusals by Kafka told apart from outages.

aiokafka logs a wrong password or an untrusted certificate and goes on as if the broker were away. Here it becomes
:class:`schemas.errors.AccessDenied`, raised where a client starts. Refused later, when a connection is made anew, it
goes to the listeners as well: the client's own tasks would retry without end.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

from aiokafka import client, conn
from aiokafka import errors as kafka
from aiokafka.protocol.admin import SaslHandShakeRequest

from schemas.errors import AccessDenied

_EXPIRED, _WRONG_HOST = 10, (62, 63, 64)  # OpenSSL's X509_V_ERR_
_TLS_RECORDS = (b"\x15", b"\x16")  # an alert, a handshake
_PROBE_S = 3.0

GRANT = "an administrator grants it, see `tocsin acl --print`"
"""How a denied right is mended."""

_connect = conn.create_conn
_bootstrap = client.AIOKafkaClient.bootstrap
# A broker that starts may not know its users yet: later refusals count once they last this long, in seconds.
_STARTING_S = 5.0
_refused_since: dict[str, float] = {}
_listeners: list[Callable[[AccessDenied], None]] = []


def report_denials() -> None:
    """Makes every aiokafka client of this process tell a refusal from an outage."""
    client.create_conn = _create_conn
    client.AIOKafkaClient.bootstrap = _bootstrap_client


@contextlib.contextmanager
def listening(listener: Callable[[AccessDenied], None]) -> Iterator[None]:
    """Calls ``listener`` for each refusal meanwhile, in whichever thread meets it."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


@contextlib.asynccontextmanager
async def raising_denials(connection: Any, operation: str = "") -> AsyncIterator[None]:
    """Raises a refusal that any client of this process meets meanwhile, in the task that runs the block.

    Args:
        connection: a :class:`connections.kafka.KafkaConnection`, for the message.
        operation: as for :func:`right_denied`.

    Raises:
        AccessDenied: Kafka refuses the client, or denies it a right.
    """
    task, loop, met = asyncio.current_task(), asyncio.get_running_loop(), []
    running = True

    def cancel() -> None:
        if running and task is not None:
            task.cancel()

    def meet(denial: AccessDenied) -> None:
        met.append(denial)
        loop.call_soon_threadsafe(cancel)

    try:
        with listening(meet):
            yield
    except asyncio.CancelledError:
        if met and task is not None and task.uncancel() == 0:
            raise met[0] from None
        raise
    except kafka.KafkaError as error:
        if denial := right_denied(error, connection, operation):
            raise denial from None
        raise
    finally:
        running = False


def right_denied(error: BaseException, connection: Any, operation: str = "") -> AccessDenied | None:
    """A broker's refusal of an operation as one line; None for every other error.

    Args:
        error: of an aiokafka call; or what it was raised from.
        connection: a :class:`connections.kafka.KafkaConnection`.
        operation: what was tried, such as ``Write``; empty for the one that the kind of error implies.
    """
    if isinstance(error, AccessDenied):
        return error
    who = f"Kafka at {connection} denies {connection.principal}"
    named = _names(error)
    if isinstance(error, kafka.TopicAuthorizationFailedError):
        return AccessDenied(f"{who} the right to {operation or 'Read'} topic {named}: {GRANT}")
    if isinstance(error, kafka.GroupAuthorizationFailedError):
        return AccessDenied(f"{who} the right to {operation or 'Read'} consumer group {named}: {GRANT}")
    if isinstance(error, kafka.ClusterAuthorizationFailedError):
        return AccessDenied(f"{who} the right to {operation or 'IdempotentWrite'} the cluster: {GRANT}")
    if isinstance(error, kafka.TransactionalIdAuthorizationFailed):
        return AccessDenied(f"{who} the right to {operation or 'Write'} transactional id {named}: {GRANT}")
    return None


def _names(error: BaseException) -> str:
    named = error.args[0] if error.args else ""
    if isinstance(named, (set, frozenset, list, tuple)):
        return ", ".join(sorted(map(str, named)))
    return str(named)


async def _create_conn(host: str, port: int, **options: Any) -> Any:
    address = f"{host}:{port}"
    try:
        connection = await _connect(host, port, **options)
    except (kafka.KafkaError, OSError, ValueError) as error:
        denial = _refusal(error, address, options)
        if denial is None:
            raise
        # A client that starts raises it; one that connects again only logs it.
        if options.get("on_close") is None:
            raise denial from None
        if time.monotonic() - _refused_since.setdefault(address, time.monotonic()) > _STARTING_S:
            for listener in tuple(_listeners):
                listener(denial)
        raise kafka.KafkaConnectionError(str(denial)) from None
    _refused_since.pop(address, None)
    return connection


async def _bootstrap_client(self: Any) -> None:
    try:
        await _bootstrap(self)
    except kafka.KafkaConnectionError:
        for host, port, _ in self.hosts:
            if denial := await unmet_demand(host, port, self._security_protocol, self._ssl_context):
                raise denial from None
        raise


def _refusal(error: BaseException, address: str, options: Mapping[str, Any]) -> AccessDenied | None:
    """Why a connection was refused; None for an outage."""
    mechanism = options.get("sasl_mechanism")
    user = options.get("sasl_plain_username")
    who = f"User:{user}" if user else "the client"
    if isinstance(error, kafka.SaslAuthenticationFailed):
        return AccessDenied(
            f"Kafka at {address} does not authenticate {who} by {mechanism} ({_names(error) or 'no reason given'}):"
            " check user and password, or the token"
        )
    if isinstance(error, (kafka.UnsupportedSaslMechanismError, kafka.IllegalSaslStateError)):
        offered = f" ({error.args[0]})" if error.args and isinstance(error.args[0], str) else ""
        return AccessDenied(
            f"Kafka at {address} does not let {who} authenticate by {mechanism}{offered}:"
            " choose another with TOCSIN_KAFKA_MECHANISM"
        )
    tls = next((one for one in _causes(error) if isinstance(one, ssl.SSLError)), None)
    if tls is not None:
        return _tls_refusal(tls, address)
    if isinstance(error, ValueError) and str(mechanism).startswith("SCRAM"):
        return AccessDenied(
            f"what answers at {address} does not prove that it knows the password of {who} ({error}): it is not the"
            " Kafka it should be"
        )
    return None


def _tls_refusal(error: ssl.SSLError, address: str) -> AccessDenied | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code == _EXPIRED:
            return AccessDenied(f"the certificate of Kafka at {address} has expired: its operator must renew it")
        if error.verify_code in _WRONG_HOST:
            return AccessDenied(
                f"the certificate of Kafka at {address} is for another name ({error.verify_message}):"
                " use a name that it holds"
            )
        return AccessDenied(
            f"the certificate of Kafka at {address} is not trusted ({error.verify_message}):"
            " give the authority that signed it with TOCSIN_KAFKA_CA_FILE"
        )
    reason = getattr(error, "reason", None) or ""
    if reason == "WRONG_VERSION_NUMBER":
        return AccessDenied(f"Kafka at {address} does not speak TLS: choose its TLS port, or another protocol")
    if "ALERT" in reason:
        stated = reason.partition("ALERT_")[2].replace("_", " ").lower()
        return AccessDenied(
            f"Kafka at {address} refuses the client's certificate ({stated}): check TOCSIN_KAFKA_CERTIFICATE_FILE, that"
            " it has not expired and that Kafka trusts its authority"
        )
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


async def unmet_demand(host: str, port: int, protocol: str, context: ssl.SSLContext | None) -> AccessDenied | None:
    """What a listener demands of a client that it has cut off, TLS or authentication; None for an outage."""
    if protocol.endswith("PLAINTEXT") and await _speaks_tls(host, port):
        return AccessDenied(
            f"Kafka at {host}:{port} demands TLS: set TOCSIN_KAFKA_PROTOCOL to SSL or SASL_SSL,"
            " and TOCSIN_KAFKA_CA_FILE"
        )
    if protocol.startswith("SASL_"):
        return None
    with contextlib.suppress(kafka.KafkaError, OSError, TimeoutError):
        probe = await _connect(
            host, port, security_protocol=protocol, ssl_context=context, request_timeout_ms=int(_PROBE_S * 1000)
        )
        try:
            answer = await probe.send(SaslHandShakeRequest("SCRAM-SHA-512"))
        finally:
            await probe.close()
        # 34: a listener without authentication, which is away for another reason.
        if answer.error_code != kafka.IllegalSaslStateError.errno:
            return AccessDenied(
                f"Kafka at {host}:{port} demands authentication by {' or '.join(answer.enabled_mechanisms)}: set"
                " TOCSIN_KAFKA_USERNAME and TOCSIN_KAFKA_PASSWORD_FILE"
            )
    return None


async def _speaks_tls(host: str, port: int) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing).do_handshake()
    try:
        async with asyncio.timeout(_PROBE_S):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(outgoing.read())
                answer = await reader.read(1)
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError):
        return False
    return answer in _TLS_RECORDS
