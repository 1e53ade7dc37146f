"""Finding a model by what a user types, and untrusted text on a terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from schemas.errors import SettingsError
from tests.unit.processors.crafted import described, graph, manifest, written
from tests.unit.tocsin.test_model_changes import artefact, publish
from tocsin.cli.commands.models.formatting import print_content, print_manifest
from tocsin.models.lookup import find_artefact, is_file


def test_a_model_is_found_by_digest_or_by_detector_and_scope() -> None:
    beside = publish(publish(publish(None, 1), 0xABCDEF << 232), 3, "shadow")
    assignments = {beside.key(): beside}

    assert find_artefact("abcdef", "champion", assignments) == artefact(0xABCDEF << 232)
    assert find_artefact("machine/kind:machine", "champion", assignments) == artefact(0xABCDEF << 232)
    assert find_artefact("machine/kind:machine", "shadow", assignments) == artefact(3)
    for reference, text in (
        ("000000", "2 models begin"),
        ("machine", "machine/all"),
        ("fedcba", "fedcba"),
        ("abcde", "abcde"),
    ):
        with pytest.raises(SettingsError, match=text):
            find_artefact(reference, "champion", assignments)
    alone = publish(None, 1)
    with pytest.raises(SettingsError, match="has no shadow"):
        find_artefact("machine/kind:machine", "shadow", {alone.key(): alone})


def test_file_paths_are_distinguished_from_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scream").touch()
    assert all(is_file(text) for text in ("scream", "missing.onnx", "./x", "/x/y", "~/x"))
    assert not any(is_file(text) for text in ("machine", "machine/all", "abcdef"))


def test_untrusted_text_has_no_effect_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x1b]0;owned\x07\x9b2J\u202ereversed [red]no[/red]"
    untrusted = manifest(trained_on=evil, training_digest=evil, code_revision=evil, metrics={evil: 1.0})

    print_manifest(untrusted, "0" * 64, 10, "none")
    print_content(manifest=untrusted)

    printed = capsys.readouterr().out
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(printed)
    assert "\\x1b]0;owned" in printed
    assert "[red]no[/red]" in printed


def test_json_is_one_line_of_ascii(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    print_content(path=str(written(tmp_path, described(graph()))), manifest=manifest(trained_on="Geräusch\n"))
    (line,) = capsys.readouterr().out.splitlines()
    assert line.isascii()
    assert json.loads(line)["manifest"]["trained_on"] == "Geräusch\n"
