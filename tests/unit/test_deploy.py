"""The examples of deployment say what the commands and settings are."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from tocsin.cli.commands.retrain import WORSE
from tocsin.cli.main import app
from tocsin.settings import PREFIX, Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
CRON = (DEPLOY / "cron" / "tocsin-retrain.cron").read_text(encoding="utf-8")
JOB: dict[str, Any] = yaml.safe_load((DEPLOY / "kubernetes" / "retrain-cronjob.yaml").read_text(encoding="utf-8"))
POD: dict[str, Any] = JOB["spec"]["jobTemplate"]["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]
KNOWN = {PREFIX + name.upper() for name in Settings.model_fields}
FOREIGN = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "OMP_NUM_THREADS", "MPLCONFIGDIR", "HOME"}


def options_of(arguments: list[str]) -> dict[str, Any]:
    """What a command line of `tocsin` means, as the command itself reads it."""
    group = typer.main.get_command(app)
    name, *rest = arguments
    command = group.get_command(None, name)  # type: ignore[attr-defined]
    assert command is not None, name
    context: dict[str, Any] = command.make_context(name, rest).params
    return context


def cron_line() -> tuple[list[str], str, str]:
    """Schedule, user and command of the crontab's one line."""
    (line,) = [line for line in CRON.splitlines() if re.match(r"[0-9*]", line)]
    *when, user, command = line.split(maxsplit=6)
    return when, user, command


def test_the_job_does_not_overlap_with_itself_and_ends() -> None:
    assert (JOB["apiVersion"], JOB["kind"]) == ("batch/v1", "CronJob")
    spec = JOB["spec"]
    assert re.fullmatch(r"\d+ \d+ \* \* \*", spec["schedule"])
    assert spec["concurrencyPolicy"] == "Forbid"
    job = spec["jobTemplate"]["spec"]
    assert job["backoffLimit"] == 1
    assert 0 < job["activeDeadlineSeconds"] < 24 * 3_600
    assert POD["restartPolicy"] == "Never"
    assert POD["terminationGracePeriodSeconds"] >= 30


def test_a_worse_model_is_not_tried_again() -> None:
    rules = JOB["spec"]["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]
    (rule,) = [rule for rule in rules if "onExitCodes" in rule]
    assert rule["action"] == "FailJob"
    assert rule["onExitCodes"] == {"containerName": CONTAINER["name"], "operator": "In", "values": [WORSE]}


def test_the_job_runs_a_command_there_is() -> None:
    options = options_of(CONTAINER["args"])

    assert (options["recipe"], options["devices"], options["scope"]) == ("knn", ["pump-*"], "kind:machine")
    assert options["json"] is True
    work = {mount["name"]: mount["mountPath"] for mount in CONTAINER["volumeMounts"]}["work"]
    assert str(options["out"]).startswith(work)


def test_the_job_is_bounded_and_unprivileged() -> None:
    resources = CONTAINER["resources"]
    for name in ("cpu", "memory", "ephemeral-storage"):
        assert resources["requests"][name]
        assert resources["limits"][name]
    (work,) = [volume for volume in POD["volumes"] if volume["name"] == "work"]
    assert int(work["emptyDir"]["sizeLimit"].removesuffix("Gi")) > options_of(CONTAINER["args"])["max_gb"]
    assert POD["securityContext"]["runAsNonRoot"] is True
    security = CONTAINER["securityContext"]
    assert (security["allowPrivilegeEscalation"], security["readOnlyRootFilesystem"]) == (False, True)
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert {mount["name"] for mount in CONTAINER["volumeMounts"]} == {volume["name"] for volume in POD["volumes"]}


def test_the_jobs_settings_exist_and_its_secrets_stand_in_no_file() -> None:
    environment = {entry["name"]: entry for entry in CONTAINER["env"]}
    assert environment.keys() - FOREIGN <= KNOWN
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        assert environment[name].keys() == {"name", "valueFrom"}
        assert environment[name]["valueFrom"]["secretKeyRef"]["name"]
    files = {
        "TOCSIN_MODEL_KEY": "tocsin-model-signing",
        "TOCSIN_KAFKA_PASSWORD_FILE": "tocsin-kafka",
        "TOCSIN_KAFKA_CA_FILE": "tocsin-kafka",
    }
    for name, secret in files.items():
        path = environment[name]["value"]
        (mount,) = [mount for mount in CONTAINER["volumeMounts"] if path.startswith(mount["mountPath"])]
        assert mount["readOnly"] is True
        assert {"name": mount["name"], "secret": {"secretName": secret}} in POD["volumes"]


def test_the_crontab_runs_a_command_there_is() -> None:
    when, user, command = cron_line()
    assert len(when) == 5
    assert user == "tocsin"
    words = shlex.split(command)
    begin = words.index("tocsin")
    options = options_of(words[begin + 1 : words.index(">>")])
    assert (options["recipe"], options["devices"], options["scope"]) == ("knn", ["pump-*"], "kind:machine")
    # An unescaped percent sign is a line's end to cron.
    assert "%" not in command
    names = re.findall(r"^(\w+)=", CRON, re.MULTILINE)
    assert set(names) - {"SHELL", "PATH", "MAILTO"} <= KNOWN


@pytest.mark.subprocess
@pytest.mark.parametrize(("code", "speaks"), [(0, False), (WORSE, False), (2, True), (1, True)])
def test_cron_mails_only_what_an_operator_must_see(tmp_path: Path, code: int, speaks: bool) -> None:
    if shutil.which("timeout") is None:
        pytest.skip("no timeout command on this system")
    program = tmp_path / "bin" / "tocsin"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho told >&2\nexit {code}\n")
    program.chmod(0o755)
    _, _, command = cron_line()

    done = subprocess.run(
        ["/bin/sh", "-c", command], capture_output=True, text=True, timeout=30,
        env={"PATH": f"{program.parent}:/usr/bin:/bin", "HOME": str(tmp_path)},
    )  # fmt: skip

    assert (done.stdout != "") is speaks
    assert (str(code) in done.stdout) is speaks
    assert (tmp_path / "retrain.log").read_text() == "told\n"
