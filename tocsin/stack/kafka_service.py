"""The Kafka broker of the stack."""

from __future__ import annotations

import base64
import shutil
import struct
import uuid
from importlib import resources
from pathlib import Path
from typing import ClassVar

from schemas.errors import ServiceDied
from tocsin.stack import kafka_probe
from tocsin.stack.jars import KAFKA_VERSION, Jars
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


class KafkaService(Service):
    """A single KRaft node, broker and controller in one; about 350 MB resident.

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
    def version(self) -> str:
        return KAFKA_VERSION

    def _prepare(self) -> None:
        packaged = resources.files("tocsin.stack")
        settings = packaged.joinpath(SETTINGS).read_text(encoding="ascii") + (
            f"controller.quorum.voters=1@{HOST}:{self._controller_port}\n"
            f"listeners=PLAINTEXT://{self.address},CONTROLLER://{HOST}:{self._controller_port}\n"
            f"advertised.listeners=PLAINTEXT://{self.address}\n"
        )
        (self.folder / SETTINGS).write_text(settings, encoding="ascii")
        (self.folder / LOG_SETTINGS).write_text(packaged.joinpath(LOG_SETTINGS).read_text("ascii"), encoding="ascii")
        scratch = self.folder / "tmp"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        if self._cluster_id() is None:
            self._format()

    def _command(self) -> list[str]:
        return self._run("kafka.Kafka", SETTINGS)

    def _probe(self) -> bool:
        try:
            cluster = kafka_probe.probe(HOST, self.port)
        except (OSError, ValueError, struct.error):
            return False
        # The cluster id distinguishes our broker from another one on the same port.
        return self.address in cluster.brokers and cluster.cluster_id == self._cluster_id()

    def _run(self, main: str, *arguments: str) -> list[str]:
        class_path = ":".join(str(jar) for jar in self._jars.class_path())
        return [str(self._java.path), *JAVA_OPTIONS, "-cp", class_path, main, *arguments]

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
        self._spawn(self._run("kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", SETTINGS))
        how_it_ended = self._wait_end(FORMAT_SECONDS)
        if self._cluster_id() is None:
            raise ServiceDied(
                f"Kafka's storage tool in {self.folder} {how_it_ended}; the end of its output:\n{self.tail()}"
            )
