"""The compose file and the image say what the code says."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from schemas.topics import TOPICS
from tocsin.cli.main import app
from tocsin.settings import PREFIX, Settings
from tocsin.stack.jars import KAFKA_VERSION

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
LONG_LIVED = {name: service for name, service in SERVICES.items() if service["restart"] != "no"}
# Names the image's start scripts read themselves; all other KAFKA_ names become broker settings.
FOR_THE_SCRIPT = {"KAFKA_HEAP_OPTS"}
# Where a broker listens and keeps its data, what it names itself, how it is tuned: each stack's own.
OWN = {"listener.security.protocol.map", "log.dirs", "num.network.threads", "num.io.threads"}
OWN |= {"group.min.session.timeout.ms", "broker.session.timeout.ms", "broker.heartbeat.interval.ms"}


def instructions(word: str) -> list[str]:
    """What follows a word at the start of a line of the Dockerfile, continued lines joined."""
    text = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    return [line.split(maxsplit=1)[1] for line in text.splitlines() if line.startswith(f"{word} ")]


def resolved(value: object) -> str:
    """A value as it is when nothing is set outside: ``${NAME:-default}`` is the default."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value))


def test_every_role_is_there() -> None:
    assert list(SERVICES) == ["kafka", "redis", "topics", "worker", "factory"]
    assert set(OURS) == {"topics", "worker", "factory"}
    assert set(LONG_LIVED) == {"kafka", "redis", "worker"}
    assert [name for name, service in SERVICES.items() if "profiles" in service] == ["factory"]


def test_the_images_are_of_a_said_version() -> None:
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{KAFKA_VERSION}"
    assert re.fullmatch(r"(redis|valkey/valkey):\d+(\.\d+)*-alpine", SERVICES["redis"]["image"])
    for service in OURS.values():
        assert service["build"] == {"context": ".", "dockerfile": "deploy/Dockerfile"}
    versions = re.findall(r">=3\.(\d+),<3\.(\d+)", (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (low, high), *_ = versions
    for base in instructions("FROM"):
        minor = re.match(r"python:3\.(\d+)(-slim)?( AS build)?$", base)
        assert minor, base
        assert int(low) <= int(minor[1]) < int(high)


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting(name: str) -> None:
    environment = OURS[name]["environment"]
    assert {"TOCSIN_KAFKA", "TOCSIN_REDIS_URL"} <= set(environment)
    assert all(variable.startswith(PREFIX) for variable in environment)
    # A name that is no field is refused, and so is a value the field does not allow.
    Settings.model_validate(
        {variable.removeprefix(PREFIX).lower(): resolved(value) for variable, value in environment.items()}
    )


def test_variables_from_outside_are_settings() -> None:
    outside = set(re.findall(rf"{PREFIX}\w+", TEXT))
    assert {variable.removeprefix(PREFIX).lower() for variable in outside} <= set(Settings.model_fields)


def test_topic_names_are_those_of_the_table() -> None:
    assert set(re.findall(r"tocsin\.[a-z-]+\.v\d+", TEXT)) <= {topic.name for topic in TOPICS}


def command_lines() -> Iterator[tuple[str, list[str]]]:
    for name, service in OURS.items():
        yield name, [resolved(word) for word in service["command"]]
    for line in re.findall(r"^#.*\btocsin ((?:[a-z]+ ?|--[a-z-]+ ?)+)$", TEXT, re.MULTILINE):
        yield f"comment: {line}", line.split()
    (default,) = instructions("CMD")
    yield "image", yaml.safe_load(default)


def parse(arguments: list[str]) -> str:
    """Parses a command line with the real commands, calling none; returns the command's path."""
    command: Any = typer.main.get_command(app)
    name, parent, path = "tocsin", None, ["tocsin"]
    while True:
        context = command.make_context(name, arguments, parent=parent)
        rest = [*context._protected_args, *context.args]
        if not hasattr(command, "resolve_command") or not rest:
            return " ".join(path)
        name, command, arguments = command.resolve_command(context, rest)
        parent = context
        path.append(name)


@pytest.mark.parametrize(("name", "arguments"), list(command_lines()))
def test_every_command_is_one(name: str, arguments: list[str]) -> None:
    path = parse(arguments).split()[1:]
    assert path
    assert path == arguments[: len(path)]


@pytest.mark.parametrize(
    "arguments", [["toppics"], ["worker", "--proceses", "2"], ["worker", "--processes", "0"], ["produce", "factory"]]
)
def test_a_command_that_is_none_is_found_out(arguments: list[str]) -> None:
    with pytest.raises(typer.TyperException):
        parse(arguments)


def test_the_commands_are_the_roles() -> None:
    assert parse(SERVICES["topics"]["command"]) == "tocsin topics"
    assert parse(SERVICES["worker"]["command"]) == "tocsin worker"
    assert parse(SERVICES["factory"]["command"]) == "tocsin produce synthetic"
    assert instructions("ENTRYPOINT") == ['["tocsin"]']


def test_nobody_is_root() -> None:
    assert [SERVICES["kafka"]["user"], SERVICES["redis"]["user"]] == ["appuser", "redis"]
    users = instructions("USER")
    assert users[-1].isdigit()
    assert int(users[-1]) > 0
    for service in OURS.values():
        assert "user" not in service
        assert service["cap_drop"] == ["ALL"]
        assert "privileged" not in service


def test_what_lives_long_is_watched_and_restarted() -> None:
    for name, service in LONG_LIVED.items():
        assert service["restart"] == "unless-stopped", name
        assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL"), name
        assert {"interval", "timeout", "retries"} <= set(service["healthcheck"]), name
    for name in set(SERVICES) - set(LONG_LIVED):
        # The image's own check is the worker's; what ends by itself has none.
        assert SERVICES[name]["healthcheck"] == {"disable": True}
    (check,) = instructions("HEALTHCHECK")
    assert yaml.safe_load(check.partition("CMD ")[2]) == SERVICES["worker"]["healthcheck"]["test"][1:]
    assert any(run.endswith("deploy/worker_health.py /opt/tocsin/") for run in instructions("RUN"))


def test_each_waits_for_what_it_needs() -> None:
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            ends = other not in LONG_LIVED
            assert how["condition"] == ("service_completed_successfully" if ends else "service_healthy"), name
    assert set(SERVICES["topics"]["depends_on"]) == {"kafka"}
    assert set(SERVICES["worker"]["depends_on"]) == {"topics", "redis"}
    assert set(SERVICES["factory"]["depends_on"]) == {"topics"}


def test_data_outlive_the_containers() -> None:
    folders = {"kafka": SERVICES["kafka"]["environment"]["KAFKA_LOG_DIRS"], "redis": "/data"}
    assert {name: SERVICES[name]["volumes"] for name in folders} == {
        name: [f"{name}:{folder}"] for name, folder in folders.items()
    }
    assert set(COMPOSE["volumes"]) == {*folders, "models"}
    worker = SERVICES["worker"]
    assert worker["volumes"] == ["models:/models"]
    assert all(worker["environment"][f"TOCSIN_MODEL_{name}"].startswith("/models/") for name in ("STORE", "CACHE"))
    words = SERVICES["redis"]["command"]
    assert words[words.index("--appendonly") + 1] == "yes"
    assert words[words.index("--maxmemory-policy") + 1] == "noeviction"


def broker_settings() -> dict[str, str]:
    environment = SERVICES["kafka"]["environment"]
    names = [name for name in environment if name.startswith("KAFKA_") and name not in FOR_THE_SCRIPT]
    return {name.removeprefix("KAFKA_").lower().replace("_", "."): str(environment[name]) for name in names}


def test_the_broker_is_set_as_the_local_one() -> None:
    text = resources.files("tocsin.stack").joinpath("server.properties").read_text(encoding="ascii")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    local = dict(line.split("=", 1) for line in lines)
    ours = broker_settings()
    assert {name: ours.get(name) for name in local.keys() - OWN} == {
        name: value for name, value in local.items() if name not in OWN
    }


def test_the_addresses_are_those_the_broker_tells() -> None:
    broker = broker_settings()
    told = dict(part.split("://") for part in broker["advertised.listeners"].split(","))
    opened = dict(part.split("://") for part in broker["listeners"].split(","))
    protocols = dict(part.split(":") for part in broker["listener.security.protocol.map"].split(","))
    assert set(opened) == set(protocols) == {*told, broker["controller.listener.names"]}
    assert len(opened) == 3
    for name, address in told.items():
        assert address.rpartition(":")[2] == opened[name].rpartition(":")[2]
    assert broker["controller.quorum.voters"] == f"{broker['node.id']}@kafka{opened['CONTROLLER']}"
    inside = told[broker["inter.broker.listener.name"]]
    assert SERVICES["kafka"]["healthcheck"]["test"][-1] == inside
    for service in OURS.values():
        assert service["environment"]["TOCSIN_KAFKA"] == inside
        assert service["environment"]["TOCSIN_REDIS_URL"] == "redis://redis:6379/0"
    host, port = told["HOST"].split(":")
    assert host == "localhost"
    # Nothing is offered beyond this machine: neither part asks for a password.
    assert SERVICES["kafka"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert all(str(entry).startswith("127.0.0.1:") for entry in SERVICES["redis"]["ports"])
    assert SERVICES["kafka"]["hostname"] == "kafka"


def test_the_image_gets_all_it_is_built_from() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    given = {line.removeprefix("!") for line in lines if line.startswith("!")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = project["tool"]["setuptools"]["packages"]["find"]["include"]
    needed = {name.removesuffix("*") for name in packages} | set(project["project"]["license-files"])
    needed |= {"pyproject.toml", project["project"]["readme"], "deploy/worker_health.py"}
    needed |= {word for copy in instructions("COPY") for word in copy.split() if word.endswith(".txt")}
    assert needed <= given
    assert all((ROOT / name).exists() for name in given)
    assert "*" in lines


def test_the_image_installs_what_the_lock_says() -> None:
    (install,) = [run for run in instructions("RUN") if "requirements/worker.txt" in run]
    (copied,) = [copy.split()[:-1] for copy in instructions("COPY") if "requirements/" in copy]
    installed = re.findall(r"--requirement (requirements/\w+\.txt)", install)
    # A lock file names the one it builds on; none is installed that was not copied.
    below = {
        f"requirements/{found}"
        for name in installed
        for found in re.findall(r"^--requirement (\S+)$", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert set(copied) == set(installed) | below
    # Workers and producers run from one image, with models from s3:// where wanted; no local stack, no trainers.
    assert set(installed) == {f"requirements/{role}.txt" for role in ("producer", "worker", "s3")}
    assert "--require-hashes" in install
    assert "--no-deps" in install
