"""A real Kafka as companies run it: TLS with an authority of its own, SCRAM, mutual TLS, and rules that deny by
default."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import DeleteAclsRequest
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import CompactArray, CompactString, Int8, Int16, Int32, Schema, TaggedFields

from connections.kafka import KafkaConnection, Mechanism
from connections.secret import Secret
from connections.tls import TlsFiles
from tests.integration.authority import Authority
from tocsin.access_rules import create_rules
from tocsin.stack import ports
from tocsin.stack.jars import Jars
from tocsin.stack.kafka_service import KafkaService
from tocsin.stack.locks import FolderLock
from tocsin.stack.parts import components_folder
from tocsin.stack.programs import find_java
from tocsin.stack.service import ServiceTies
from tocsin.stack.stack import Stack
from tocsin.stack.topics import create_topics

ADMIN = "admin"
PASSWORDS = {
    name: f"{name}-of-the-test"
    for name in (ADMIN, "worker", "producer", "trainer", "consumer", "operator", "right", "user")
}

_SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
inter.broker.listener.name=INNER
listener.security.protocol.map=SASL:SASL_SSL,MUTUAL:SSL,INNER:SSL,CONTROLLER:SSL
ssl.keystore.type=PEM
ssl.truststore.type=PEM
listener.name.inner.ssl.client.auth=required
listener.name.mutual.ssl.client.auth=required
listener.name.controller.ssl.client.auth=required
listener.name.sasl.sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512,PLAIN,OAUTHBEARER
listener.name.sasl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=false
super.users=User:admin;User:CN=broker
log.dirs=log
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.num.partitions=8
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=6000
num.network.threads=2
num.io.threads=4
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=1000
"""
_PLAIN = "listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required "
# Unsigned tokens, which Kafka accepts unless it is given an issuer: what is tested is our side of the exchange.
_BEARER = (
    "listener.name.sasl.oauthbearer.sasl.jaas.config="
    "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;\n"
    "listener.name.sasl.oauthbearer.sasl.server.callback.handler.class="
    "org.apache.kafka.common.security.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler\n"
)


class SecuredKafka(KafkaService):
    """Listeners: SASL over TLS on ``port``, mutual TLS on ``mutual_port``. Users: :data:`PASSWORDS`.

    Args:
        folder: an empty folder.
    """

    name: ClassVar[str] = "secured Kafka"

    def __init__(self, folder: Path) -> None:
        taken: set[int] = set()
        for _ in range(4):
            taken.add(ports.choose(None, taken))
        port, controller, self.mutual_port, self._inner = sorted(taken)
        lock = FolderLock(folder / "lock", "the test's Kafka")
        lock.acquire()
        components = components_folder()
        ties = ServiceTies(lock.fd, True, lambda: None)
        super().__init__(folder / "kafka", port, controller, find_java(), Jars(components), ties)
        self.authority = Authority(folder)
        self._broker = self.authority.issue("broker")

    @property
    def connection(self) -> KafkaConnection:
        """As the administrator."""
        return self.as_user(ADMIN)

    def as_user(
        self, name: str, mechanism: Mechanism = "SCRAM-SHA-512", password: str | None = None
    ) -> KafkaConnection:
        """The connection of a user, by SASL over TLS."""
        return KafkaConnection(
            self.address,
            "SASL_SSL",
            mechanism,
            name,
            Secret(PASSWORDS.get(name, "") if password is None else password),
            tls=TlsFiles(self.authority.ca),
        )

    def by_certificate(self, path: Path) -> KafkaConnection:
        """A connection by mutual TLS."""
        return KafkaConnection(f"{ports.HOST}:{self.mutual_port}", "SSL", tls=TlsFiles(self.authority.ca, path))

    def forbid(self, principal: str, topic: str) -> None:
        """Takes all rules of a topic from a principal."""
        self._ask(DeleteAclsRequest(2, topic, 3, principal, "*", 1, 3))

    def remove_user(self, name: str) -> None:
        """Forgets a user's SCRAM-SHA-512 password; connections that stand go on."""
        self._ask(_RemoveUser(name))

    def _ask(self, request: Any) -> None:
        async def send() -> Any:
            admin = AIOKafkaAdminClient(**self.connection.client_options())
            try:
                await admin.start()
                return await admin._client.send(admin._client.get_random_node(), request)
            finally:
                await admin.close()

        answer = str(asyncio.run(send()))
        assert "error_code=0" in answer, answer

    def _settings(self) -> str:
        listeners = ",".join(
            f"{name}://{ports.HOST}:{port}"
            for name, port in (("SASL", self.port), ("MUTUAL", self.mutual_port), ("INNER", self._inner))
        )
        users = " ".join(f'user_{name}="{password}"' for name, password in PASSWORDS.items())
        return (
            f"{_SETTINGS}{_PLAIN}{users};\n{_BEARER}"
            f"ssl.keystore.location={self._broker}\nssl.truststore.location={self.authority.ca}\n"
            f"controller.quorum.voters=1@{ports.HOST}:{self._controller_port}\n"
            f"listeners={listeners},CONTROLLER://{ports.HOST}:{self._controller_port}\n"
            f"advertised.listeners={listeners}\n"
        )

    def _users(self) -> list[str]:
        return [
            word
            for name, password in PASSWORDS.items()
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
            for word in ("--add-scram", f"{mechanism}=[name={name},password={password}]")
        ]


class _RemoveUserResponse(Response):  # type: ignore[misc]
    API_KEY, API_VERSION = 51, 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "results",
            CompactArray(
                ("user", CompactString("utf-8")),
                ("error_code", Int16),
                ("error_message", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _RemoveUserStruct(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY, API_VERSION, RESPONSE_TYPE = 51, 0, _RemoveUserResponse
    SCHEMA = Schema(
        ("deletions", CompactArray(("name", CompactString("utf-8")), ("mechanism", Int8), ("tags", TaggedFields))),
        ("upsertions", CompactArray(Int8)),
        ("tags", TaggedFields),
    )


class _RemoveUser(Request[_RemoveUserStruct]):  # type: ignore[misc]
    """AlterUserScramCredentials; 2 is SCRAM-SHA-512."""

    API_KEY = 51

    def __init__(self, name: str) -> None:
        self._name = name

    def build(self, request_struct_class: type[_RemoveUserStruct]) -> Any:
        return request_struct_class([(self._name, 2, {})], [], {})


class SecuredStack(Stack):
    """A stack whose Kafka is a :class:`SecuredKafka`; see :func:`secured_stack`."""

    secured: SecuredKafka

    @property
    def kafka(self) -> KafkaService:
        """The secured one."""
        return self.secured


@contextmanager
def secured_stack(folder: Path, group_prefix: str) -> Iterator[SecuredStack]:
    """A running one, with the topics; the user ``worker`` has the rights of its role, in groups with this prefix."""
    secured = SecuredKafka(folder)
    try:
        secured.start()
        create_topics(secured.connection)
        asyncio.run(create_rules(secured.connection, {"worker": "User:worker"}, group_prefix, prefixed=True))
        stack = SecuredStack(folder / "stack", kafka=secured.connection)
        stack.secured = secured
        with stack:
            yield stack
    finally:
        secured.kill()
