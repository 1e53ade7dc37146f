"""User errors at the command line: one line with the value and the way out, exit code 2."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tocsin.cli.lazy_group import COMMANDS, OLD_NAMES
from tocsin.cli.main import main
from tocsin.settings import load_settings

pytestmark = pytest.mark.subprocess

NOWHERE = "127.0.0.1:1"


def tocsin(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
    root = str(Path(__file__).parents[3])
    return subprocess.run(
        [sys.executable, "-m", "tocsin", *arguments],
        capture_output=True, text=True, timeout=60, cwd=cwd, env={**clean, "PYTHONPATH": root, **environment},
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with unusable files."""
    (tmp_path / "text.wav").write_text("this is no sound")
    (tmp_path / "empty.wav").touch()
    (tmp_path / "nothing").mkdir()
    soundfile.write(tmp_path / "silent.wav", np.zeros(0, np.float32), 16_000)
    soundfile.write(tmp_path / "good.wav", np.zeros(16_000, np.float32), 16_000)
    np.savez(tmp_path / "nan.npz", acceleration_g=np.array([1.0, np.nan] * 600), sample_rate_hz=12_000)
    return tmp_path


MISTAKES = [
    (["nonsense"], "nonsense"),
    (["score", "good.wav", "--detector", "sirens"], "sirens"),
    (["score", "missing.wav", "--detector", "scream"], "missing.wav"),
    (["score", "text.wav", "--detector", "scream"], "text.wav"),
    (["score", "empty.wav", "--detector", "scream"], "empty.wav"),
    (["score", "silent.wav", "--detector", "machine"], "silent.wav"),
    (["score", "nan.npz", "--detector", "machine"], "nan"),
    (["score", "nothing", "--detector", "machine"], "nothing"),
    (["produce", "file", "good.wav", "--kind", "garden", "--kafka", NOWHERE], "garden"),
    (["produce", "file", "missing.wav", "--kafka", NOWHERE], "missing.wav"),
    (["produce", "file", "text.wav", "--kafka", NOWHERE], "text.wav"),
    (["produce", "file", "nothing", "--kafka", NOWHERE], "nothing"),
    (["produce", "file", "good.wav", "--device", "a b", "--kafka", NOWHERE], "a b"),
    (["produce", "sensor", "nan.npz", "--kafka", NOWHERE], "nan"),
    (["produce", "synthetic", "--seconds", "-1", "--kafka", NOWHERE], "-1"),
    (["worker", "--processes", "0"], "0"),
    (["worker", "--default-kind", "garden"], "garden"),
    (["worker"], ".tocsin"),
    (["worker", "--kafka", "nonsense", "--redis", "redis://127.0.0.1:1/0"], "nonsense"),
    (["worker", "--kafka", NOWHERE, "--redis", "nonsense"], "nonsense"),
    (["worker", "--kafka", NOWHERE, "--redis", "redis://127.0.0.1:x"], "redis://127.0.0.1:x"),
    (["alerts"], ".tocsin"),
    (["alerts", "--kafka", NOWHERE], NOWHERE),
    (["alerts", "--follow", "--kafka", "nonsense:abc"], "nonsense:abc"),
    (["alerts", "feedback", "1234", "maybe", "--kafka", NOWHERE], "maybe"),
    (["alerts", "verdict", "1234", "real", "--kafka", NOWHERE], NOWHERE),
    (["devices", "list", "--kafka", NOWHERE], NOWHERE),
    (["devices", "policy", "--kafka", NOWHERE], NOWHERE),
    (["devices", "policy", "--false-alarms-per-week", "1", "--kind", "garden", "--kafka", NOWHERE], "garden"),
    (["devices", "policy", "--false-alarms-per-week", "1", "--reported-regime", "--hours", "6,14"], ".tocsin"),
    (["devices", "policy", "--false-alarms-per-week", "1", "--tags", "--hours", "6,14", "--kafka", NOWHERE], "6,14"),
    (["devices", "sensitivity", "1", "--tags", "--hours", "6,14", "--kafka", NOWHERE], "6,14"),
    (["devices", "sensitivity", "1", "--unset", "--kafka", NOWHERE], "1"),
    (["devices", "sensitivity", "many"], "many"),
    (["replay", "pump-1", "--set", "loudness=3", "--kafka", NOWHERE], "loudness=3"),
    (["replay", "pump-1", "--set", "false_alarms_per_week=few", "--kafka", NOWHERE], "few"),
    (["replay", "pump-1", "--set", "sensitivity=3", "--kafka", NOWHERE], NOWHERE),
    (["train", "machine", "--set", "preset"], "preset"),
    (["experiment", "transfer", "--data", "nothing", "--set", "seeds"], "seeds"),
    (["study", "transfer", "--data", "nothing", "--set", "seeds"], "seeds"),
    (["models", "retire", "machine", "--stage", "champion", "--kafka", NOWHERE], "champion"),
    (["models", "list"], ".tocsin"),
    (["models", "list", "--kafka", NOWHERE], NOWHERE),
    (["models", "list", "--kafka", "nonsense:abc"], "nonsense:abc"),
    (["models", "show", "missing.onnx"], "missing.onnx"),
    (["models", "verify", "missing.onnx"], "missing.onnx"),
    (["models", "promote", "machine", "--scope", "garden", "--kafka", NOWHERE], "garden"),
    (["models", "keygen", "--out", "good.wav"], "good.wav"),
    (["models", "compare", "machine", "--since", "soon", "--kafka", NOWHERE], "soon"),
    (["demo", "--seconds", "0"], "0"),
    (["demo", "--out", "good.wav"], "good.wav"),
    (["up", "--kafka-port", "99999"], "99999"),
]


@pytest.mark.parametrize(
    ("arguments", "value"), MISTAKES, ids=lambda item: " ".join(item) if isinstance(item, list) else ""
)
def test_a_user_error_is_one_line_with_the_value(folder: Path, arguments: list[str], value: str) -> None:
    result = tocsin(*arguments, cwd=folder)

    lines = result.stderr.strip().splitlines()
    assert result.returncode == 2, result.stderr
    assert len(lines) == 1, result.stderr
    assert value in lines[0]
    assert lines[0].startswith("tocsin: ")


@pytest.mark.parametrize("command", ["worker", "status", "down"])
def test_an_unknown_setting_is_refused_with_the_most_similar_one(folder: Path, command: str) -> None:
    result = tocsin(command, cwd=folder, TOCSIN_KAFAK="x:1")

    assert result.returncode == 2
    assert "TOCSIN_KAFKA?" in result.stderr


def test_a_traceback_is_printed_with_debug_only(folder: Path) -> None:
    plain = tocsin("score", "good.wav", "--detector", "sirens", cwd=folder)
    debug = tocsin("--debug", "score", "good.wav", "--detector", "sirens", cwd=folder)

    assert "Traceback" not in plain.stderr
    assert "Traceback" in debug.stderr
    assert debug.returncode == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["score", "--detector", "scream"],
        ["produce", "file", "--kafka", NOWHERE],
        ["produce", "sensor", "--kafka", NOWHERE],
    ],
    ids=" ".join,
)
def test_an_unreadable_file(
    folder: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file, opened = folder / "good.wav", Path.open

    def refuse(path: Path, *options: Any, **more: Any) -> Any:
        if path == file:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *options, **more)

    # Permissions do not bind every user who runs the tests.
    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    monkeypatch.setattr(sys, "argv", ["tocsin", *arguments, str(file)])
    with pytest.raises(SystemExit) as end:
        main()

    assert end.value.code == 2
    assert f"{file} cannot be read: Permission denied: give yourself permission" in capsys.readouterr().err


def test_a_file_too_short_for_a_frame_is_reported(folder: Path) -> None:
    soundfile.write(folder / "short.wav", np.zeros(100, np.float32), 16_000)

    plain = tocsin("score", "short.wav", "--detector", "scream", cwd=folder, COLUMNS="200")
    lines = tocsin("score", "short.wav", "--detector", "scream", "--json", cwd=folder)

    assert "too short for a frame" in plain.stdout
    told = "tocsin: short.wav is too short: it does not fill one frame; record for longer\n"
    assert (lines.stdout, lines.stderr) == ("", told)


def test_one_bad_file_does_not_stop_the_others(folder: Path) -> None:
    rng = np.random.default_rng(1)
    soundfile.write(folder / "noise.wav", rng.normal(0, 0.1, 48_000).astype(np.float32), 16_000)

    result = tocsin("score", "text.wav", "noise.wav", "--detector", "scream", "--json", cwd=folder)

    assert result.returncode == 2
    assert "text.wav" in result.stderr
    assert len(result.stdout.splitlines()) == (48_000 - 16_064) // (12 * 320) + 1


@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_command_has_help(tmp_path: Path, command: str) -> None:
    result = tocsin(command, "--help", cwd=tmp_path)

    assert result.returncode == 0
    assert re.search(r"^Usage: .* " + command, result.stdout, re.MULTILINE)
    assert "completion" not in result.stdout, "completion belongs to the whole program"


@pytest.mark.parametrize(("old", "new"), OLD_NAMES.items())
def test_a_former_command_name_works_and_is_not_listed(tmp_path: Path, old: str, new: str) -> None:
    renamed = tocsin(old, "--help", cwd=tmp_path)
    listed = tocsin("--help", cwd=tmp_path)

    assert renamed.returncode == 0
    assert renamed.stdout.replace(f"tocsin {old}", f"tocsin {new}") == tocsin(new, "--help", cwd=tmp_path).stdout
    assert new in listed.stdout.split()
    assert old not in listed.stdout.split()


@pytest.mark.parametrize(
    ("group", "old", "new"), [("devices", "sensitivity", "policy"), ("alerts", "verdict", "feedback")]
)
def test_a_former_subcommand_name_is_not_listed(tmp_path: Path, group: str, old: str, new: str) -> None:
    listed = tocsin(group, "--help", cwd=tmp_path).stdout.split()

    assert new in listed
    assert old not in listed
    assert tocsin(group, old, "--help", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("option", ["--parts", "--components"])
def test_the_former_option_of_the_components_folder_works(folder: Path, option: str) -> None:
    result = tocsin("fetch", option, "good.wav", cwd=folder)

    assert result.returncode == 2
    assert "good.wav" in result.stderr


def test_the_former_setting_of_the_components_folder_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_PARTS", "old")
    assert load_settings().components == Path("old")

    monkeypatch.setenv("TOCSIN_COMPONENTS", "new")
    assert load_settings().components == Path("new")
