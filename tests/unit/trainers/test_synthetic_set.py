"""Synthetic sets have the layouts of public ones, and the specified sound."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from schemas.errors import OutputError, SettingsError
from synthesis.recording import RecordingSite
from trainers.data.loaders.clip import Clip
from trainers.data.loaders.layout import load_clips
from trainers.data.synthetic_set import LAYOUTS, SetOptions, write_set

SMALL = SetOptions(types=("fan", "valve"), ids=2, snr_db=(6.0, -6.0), clips=3, anomalies=2, seconds=1.0, channels=3)


def digests(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int]]:
    root = tmp_path_factory.mktemp("sets")
    written = {layout: write_set(layout, root / layout, SMALL) for layout in LAYOUTS}
    return root, written


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_set_is_read_by_the_loader_of_its_layout(sets: tuple[Path, dict[str, int]], layout: str) -> None:
    root, written = sets
    clips = load_clips(root / layout)
    assert len(clips) == written[layout]
    labels = [clip.label for clip in clips]
    assert labels.count("abnormal") == {"mimii": 16, "mimii-zip": 16, "leak": 4}.get(layout, 8)
    assert "unknown" not in labels
    for clip in clips:
        samples = clip.samples(clip.sample_rate)
        assert 0.003 < samples.std() < 0.5


def test_mimii_has_machines_ids_levels_and_channels(sets: tuple[Path, dict[str, int]]) -> None:
    root, _ = sets
    clips = load_clips(root / "mimii")
    assert {clip.machine for clip in clips} == {"fan", "valve"}
    assert {clip.unit for clip in clips} == {"id_00", "id_02"}
    assert {clip.snr_db for clip in clips} == {6.0, -6.0}
    assert {clip.channels for clip in clips} == {3}
    assert {(clip.machine, clip.unit, clip.snr_db) for clip in load_clips(root / "mimii-zip")} == {
        (clip.machine, clip.unit, clip.snr_db) for clip in clips
    }


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(
    sets: tuple[Path, dict[str, int]], tmp_path: Path
) -> None:
    root, _ = sets
    write_set("folders", tmp_path / "again", SMALL)
    assert digests(tmp_path / "again") == digests(root / "folders")
    other = SetOptions(types=("fan",), ids=1, snr_db=(6.0,), clips=2, anomalies=1, seconds=1.0, seed=8)
    write_set("folders", tmp_path / "other", other)
    assert not set(digests(tmp_path / "other").values()) & set(digests(root / "folders").values())


def test_no_two_files_are_alike(sets: tuple[Path, dict[str, int]]) -> None:
    root, written = sets
    for layout in LAYOUTS:
        sounds = {name: digest for name, digest in digests(root / layout).items() if name.endswith(".wav")}
        assert len(set(sounds.values())) == len(sounds) == written[layout], layout


def test_noise_is_stronger_at_a_lower_snr(sets: tuple[Path, dict[str, int]]) -> None:
    """The machine is the same sound at both; what differs is noise."""
    root, _ = sets
    by_snr = {clip.snr_db: clip.samples(16_000, "first") for clip in load_clips(root / "mimii") if _first_fan(clip)}
    likeness = np.corrcoef(by_snr[6.0], by_snr[-6.0])[0, 1]
    assert 0.2 < likeness < 0.98


def test_a_fault_has_its_severity_and_does_not_change_the_level() -> None:
    station = RecordingSite(5, "fan")
    sounds = {db: station.clip(0, 2.0, 60.0, faulty=True, severity_db=db).astype(float) for db in (-60.0, -12.0, 6.0)}
    still = sounds[-60.0]
    likeness = {db: np.corrcoef(still[:, 0], sound[:, 0])[0, 1] for db, sound in sounds.items()}
    assert 0.2 < likeness[6.0] < 0.7
    assert 0.9 < likeness[-12.0] < 0.999
    for sound in sounds.values():
        assert 20 * np.log10(sound.std() / still.std()) == pytest.approx(0.0, abs=1.5)


def _first_fan(clip: Clip) -> bool:
    return (clip.machine, clip.unit, clip.label, clip.path.stem) == ("fan", "id_00", "normal", "00000000")


def test_invalid_options_are_named_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="'tape'"):
        write_set("tape", tmp_path / "x", SMALL)
    with pytest.raises(SettingsError, match="'toaster'"):
        write_set("mimii", tmp_path / "x", SetOptions(types=("toaster",)))
    (tmp_path / "y").mkdir()
    (tmp_path / "y" / "mine.txt").write_text("keep")
    with pytest.raises(OutputError, match="not an empty folder"):
        write_set("mimii", tmp_path / "y", SMALL)
    assert not (tmp_path / "x").exists()
