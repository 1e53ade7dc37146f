"""The Kafka broker of the stack."""

from __future__ import annotations

import base64
import shutil
import socket
import uuid
from importlib import resources
from pathlib import Path
from typing import ClassVar

from connections.kafka import KafkaConnection, Mechanism
from connections.secret import Secret
from schemas.errors import AccessDenied, BrokerUnavailable, ServiceDied
from tocsin.stack import kafka_probe
from tocsin.stack.jars import KAFKA_VERSION, Jars
from tocsin.stack.passwords import password_in, write_private
from tocsin.stack.ports import HOST
from tocsin.stack.programs import Program
from tocsin.stack.service import Service, ServiceTies

SETTINGS = "server.properties"
LOG_SETTINGS = "log4j2.properties"
FORMAT_SECONDS = 120.0
JAVA_OPTIONS = (
    "-Xmx512m",
    "-XX:+UseSerialGC",  # a small heap needs no collector threads
    "-XX:TieredStopAtLevel=1",  # starts sooner; the load is too small for the optimising compiler to pay off
    "-XX:-UsePerfData",  # avoids a folder in /tmp
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    "-Djava.io.tmpdir=tmp",  # compression libraries are unpacked there
    f"-Dlog4j2.configurationFile={LOG_SETTINGS}",
)


USER, PASSWORD = "tocsin", "password"
MECHANISM = "mechanism"
CLIENT_SETTINGS = "client.properties"
# Other accounts of the machine reach the ports, but have no password. Kafka's controller cannot use SCRAM.
SECURITY = """\
inter.broker.listener.name=LOCAL
listener.security.protocol.map=LOCAL:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT
sasl.enabled.mechanisms={mechanism}
sasl.mechanism.inter.broker.protocol={mechanism}
listener.name.local.{lower}.sasl.jaas.config={module} required username="{user}" password="{password}"{known};
listener.name.controller.sasl.enabled.mechanisms=PLAIN
sasl.mechanism.controller.protocol=PLAIN
listener.name.controller.plain.sasl.jaas.config={plain} required username="{user}" password="{password}"{plain_known};
"""
SCRAM_MODULE = "org.apache.kafka.common.security.scram.ScramLoginModule"
PLAIN_MODULE = "org.apache.kafka.common.security.plain.PlainLoginModule"


class KafkaService(Service):
    """A single KRaft node, broker and controller in one; about 350 MB resident.

    Clients are the user ``tocsin``, by SCRAM; its password is in the file ``password``, for Kafka's own tools in
    ``client.properties``. A folder that was formatted before there was a password knows it by PLAIN instead, because
    only a format can create the first SCRAM user.

    After a kill it takes longer to serve, because the controller first waits until the old broker's registration has
    expired.
    """

    name: ClassVar[str] = "Kafka"
    log_name: ClassVar[str] = "kafka.log"

    def __init__(
        self, folder: Path, port: int, controller_port: int, java: Program, jars: Jars, ties: ServiceTies
    ) -> None:
        super().__init__(folder, port, ties)
        self._controller_port = controller_port
        self._java = java
        self._jars = jars

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def connection(self) -> KafkaConnection:
        """The connection for clients."""
        password = Secret(file=self.folder / PASSWORD)
        return KafkaConnection(self.address, "SASL_PLAINTEXT", self._mechanism(), USER, password)

    def _mechanism(self) -> Mechanism:
        try:
            stored = (self.folder / MECHANISM).read_text(encoding="ascii")
        except OSError:
            return "PLAIN"
        return "SCRAM-SHA-512" if stored == "SCRAM-SHA-512" else "PLAIN"

    @property
    def version(self) -> str:
        return KAFKA_VERSION

    def _settings(self) -> str:
        packaged = resources.files("tocsin.stack").joinpath(SETTINGS).read_text(encoding="ascii")
        mechanism, password = self._mechanism(), password_in(self.folder / PASSWORD)
        known = f' user_{USER}="{password}"'
        security = SECURITY.format(
            mechanism=mechanism, lower=mechanism.lower(), module=_module(mechanism), user=USER, password=password,
            known="" if mechanism != "PLAIN" else known, plain=PLAIN_MODULE, plain_known=known,
        )  # fmt: skip
        return (
            packaged
            + security
            + (
                f"controller.quorum.voters=1@{HOST}:{self._controller_port}\n"
                f"listeners=LOCAL://{self.address},CONTROLLER://{HOST}:{self._controller_port}\n"
                f"advertised.listeners=LOCAL://{self.address}\n"
            )
        )

    def _users(self) -> list[str]:
        """Arguments of the storage tool that create the first users."""
        return ["--add-scram", f"SCRAM-SHA-512=[name={USER},password={password_in(self.folder / PASSWORD)}]"]

    def _prepare(self) -> None:
        packaged = resources.files("tocsin.stack")
        formatted = self._cluster_id() is not None
        if not formatted:
            write_private(self.folder / MECHANISM, "SCRAM-SHA-512")
        write_private(self.folder / SETTINGS, self._settings())
        write_private(self.folder / CLIENT_SETTINGS, self._client_settings())
        write_private(self.folder / LOG_SETTINGS, packaged.joinpath(LOG_SETTINGS).read_text("ascii"))
        scratch = self.folder / "tmp"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(mode=0o700)
        if not formatted:
            self._format()

    def _command(self) -> list[str]:
        return self._run("kafka.Kafka", SETTINGS)

    def _probe(self) -> bool:
        try:
            # Most probes find nothing there yet; an interrupt in the middle of asyncio's connect would print a
            # traceback.
            socket.create_connection((HOST, self.port), 1.0).close()
        except OSError:
            return False
        try:
            cluster = kafka_probe.reach(self.connection, timeout_s=1.0, explain=False)
        except (AccessDenied, BrokerUnavailable):
            return False
        # The cluster id distinguishes our broker from another one on the same port.
        return self.address in cluster.brokers and cluster.cluster_id == self._cluster_id()

    def _run(self, main: str, *arguments: str) -> list[str]:
        class_path = ":".join(str(jar) for jar in self._jars.class_path())
        return [str(self._java.path), *JAVA_OPTIONS, "-cp", class_path, main, *arguments]

    def _client_settings(self) -> str:
        mechanism, password = self._mechanism(), password_in(self.folder / PASSWORD)
        login = f'{_module(mechanism)} required username="{USER}" password="{password}";'
        return f"security.protocol=SASL_PLAINTEXT\nsasl.mechanism={mechanism}\nsasl.jaas.config={login}\n"

    def _cluster_id(self) -> str | None:
        try:
            lines = (self.folder / "log" / "meta.properties").read_text(encoding="utf-8").splitlines()
        except OSError:
            return None
        return next((line.partition("=")[2] for line in lines if line.startswith("cluster.id=")), None)

    def _format(self) -> None:
        # The marker of a formatted folder is written last; an interrupted format leaves none.
        shutil.rmtree(self.folder / "log", ignore_errors=True)
        first, *rest = uuid.uuid4().bytes
        # In Kafka's notation; the first bit is cleared, because the id must not begin with a dash.
        cluster_id = base64.urlsafe_b64encode(bytes([first & 0x7F, *rest])).decode("ascii").rstrip("=")
        self._spawn(self._run("kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", SETTINGS, *self._users()))
        how_it_ended = self._wait_end(FORMAT_SECONDS)
        if self._cluster_id() is None:
            raise ServiceDied(
                f"Kafka's storage tool in {self.folder} {how_it_ended}; the end of its output:\n{self.tail()}"
            )


def _module(mechanism: Mechanism) -> str:
    return PLAIN_MODULE if mechanism == "PLAIN" else SCRAM_MODULE
