"""Layouts of public sets: metadata from names, and sets rejected before training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from schemas.errors import EmptyAudio, NotAudio, SettingsError, UnreadableInput, UnusableAudio, WrongLayout
from trainers.data.loaders.archive import load_archive
from trainers.data.loaders.clip import Clip, Label
from trainers.data.loaders.layout import load_clips
from trainers.data.loaders.mimii import baseline_split
from trainers.data.loaders.split import split_by_group

RATE = 16_000


def put(
    path: Path,
    seconds: float = 0.1,
    rate: int = RATE,
    channels: int = 1,
    samples: npt.NDArray[np.floating] | None = None,
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if samples is None:
        rng = np.random.default_rng(len(path.as_posix()))
        samples = rng.normal(0.0, 0.1, (int(seconds * rate), channels))
    soundfile.write(path, samples, rate, subtype="FLOAT" if path.suffix == ".wav" else None)
    return path


@pytest.mark.parametrize(
    ("folder", "snr_db"),
    [("dataset/min6dB/fan", -6.0), ("0dB/fan", 0.0), ("-6_dB_fan/fan", -6.0), ("6_dB_fan/fan", 6.0), ("fan", None)],
)
def test_mimii_is_read_in_each_of_its_layouts(tmp_path: Path, folder: str, snr_db: float | None) -> None:
    put(tmp_path / folder / "id_02" / "normal" / "00000000.wav", channels=8)
    put(tmp_path / folder / "id_02" / "abnormal" / "00000001.wav", channels=8)
    abnormal, normal = load_clips(tmp_path)
    assert (normal.machine, normal.unit, normal.label, normal.snr_db) == ("fan", "id_02", "normal", snr_db)
    assert (abnormal.label, abnormal.channels, abnormal.sample_rate) == ("abnormal", 8, RATE)
    assert abnormal.group == "fan/id_02/abnormal/00000001"


def test_a_channel_is_taken_or_all_are_averaged(tmp_path: Path) -> None:
    left = np.full(800, 0.5)
    put(tmp_path / "normal" / "a.wav", samples=np.stack([left, -0.1 * left], axis=1))
    put(tmp_path / "normal" / "b.wav", channels=2)
    clip = load_clips(tmp_path)[0]
    assert np.allclose(clip.samples(RATE, "first"), 0.5)
    assert np.allclose(clip.samples(RATE, "mean"), 0.225)
    assert np.allclose(clip.samples(RATE), 0.225)


def test_dcase_names_give_section_domain_and_label(tmp_path: Path) -> None:
    put(tmp_path / "fan" / "train" / "section_00_source_train_normal_0000_strength_1.wav")
    put(tmp_path / "fan" / "test" / "section_01_target_test_anomaly_0003.wav")
    put(tmp_path / "fan" / "test" / "section_02_0007.wav")
    test, unlabelled, train = load_clips(tmp_path)
    assert (train.machine, train.unit, train.label, train.split) == ("fan", "section_00", "normal", "train")
    assert train.details == {"domain": "source", "attributes": "strength_1"}
    assert (test.unit, test.label, test.split) == ("section_01", "abnormal", "test")
    assert unlabelled.label == "unknown"


def test_dcase_names_of_2020_give_id_and_label(tmp_path: Path) -> None:
    put(tmp_path / "ToyCar" / "train" / "normal_id_01_00000000.wav")
    put(tmp_path / "ToyCar" / "test" / "anomaly_id_01_00000004.wav")
    test, train = load_clips(tmp_path)
    assert (train.machine, train.unit, train.label, train.split) == ("ToyCar", "id_01", "normal", "train")
    assert (test.label, test.split) == ("abnormal", "test")


def test_a_dcase_file_in_the_wrong_folder_is_named(tmp_path: Path) -> None:
    put(tmp_path / "fan" / "test" / "section_00_source_train_normal_0000.wav")
    with pytest.raises(WrongLayout, match="belongs to train"):
        load_clips(tmp_path)


def test_leak_names_give_logger_and_label(tmp_path: Path) -> None:
    put(tmp_path / "P1-D7-20220301-15030300.wav", rate=8_000)
    put(tmp_path / "P1-D7-20220302-35030300.wav", rate=8_000)
    put(tmp_path / "P2-D8-20220302-25030300.wav", rate=8_000)
    normal, leak, suspected = load_clips(tmp_path)
    assert (normal.label, leak.label, suspected.label) == ("normal", "abnormal", "unknown")
    assert normal.group == leak.group == "P1-D7"
    assert normal.details["noise"] == "5"
    assert (normal.details["material"], normal.details["diameter"]) == ("03", "0300")


def test_folders_give_label_machine_and_unit(tmp_path: Path) -> None:
    put(tmp_path / "hall" / "normal" / "press 1" / "take_1.wav")
    put(tmp_path / "hall" / "normal" / "press 1" / "take_2.wav")
    put(tmp_path / "hall" / "Anomaly" / "press 1" / "other.wav")
    abnormal, one, two = load_clips(tmp_path)
    assert (one.machine, one.unit, one.label) == ("hall", "press 1", "normal")
    assert abnormal.label == "abnormal"
    assert one.group == two.group


@pytest.mark.parametrize(
    ("layout", "names", "named"),
    [
        ("mimii", ["0dB/fan/id_00/normal/0.wav", "0dB/fan/id_00/odd/00000000.wav"], "odd"),
        ("dcase", ["fan/train/section_00_source_train_normal_0000.wav", "fan/train/fan 3.wav"], "fan 3.wav"),
        ("dcase", ["fan/other/section_00_source_train_normal_0000.wav"], "'other'"),
        ("leak", ["P1-D7-1-45030300.wav"], "P1-D7-1-45030300"),
        ("folders", ["good/a.wav", "b.wav"], "b.wav"),
        ("auto", ["a.wav"], "a.wav"),
    ],
)
def test_a_name_outside_the_layout_is_named(tmp_path: Path, layout: str, names: list[str], named: str) -> None:
    for name in names:
        put(tmp_path / name)
    with pytest.raises(WrongLayout, match=named):
        load_clips(tmp_path, layout)


def test_one_file_or_no_normal_one_is_rejected(tmp_path: Path) -> None:
    put(tmp_path / "abnormal" / "a.wav")
    with pytest.raises(WrongLayout, match="one recording only"):
        load_clips(tmp_path)
    put(tmp_path / "abnormal" / "b.wav")
    with pytest.raises(WrongLayout, match="none of them normal"):
        load_clips(tmp_path)


def test_a_file_of_another_rate_is_named(tmp_path: Path) -> None:
    for number in range(3):
        put(tmp_path / "normal" / f"{number}x.wav")
    put(tmp_path / "normal" / "odd.wav", rate=44_100)
    with pytest.raises(UnusableAudio, match=r"odd\.wav has 44100 Hz, the set has 16000"):
        load_clips(tmp_path)


def test_a_rate_below_the_features_is_rejected(tmp_path: Path) -> None:
    put(tmp_path / "normal" / "a.wav", rate=8_000)
    put(tmp_path / "normal" / "b.wav", rate=8_000)
    with pytest.raises(UnusableAudio, match="8000 Hz, the features need 16000"):
        load_clips(tmp_path)[0].samples(RATE)


def test_mimii_of_another_rate_is_rejected(tmp_path: Path) -> None:
    for number in range(2):
        put(tmp_path / "0dB" / "fan" / "id_00" / "normal" / f"{number:08}.wav", rate=48_000)
    with pytest.raises(UnusableAudio, match="the set has 16000"):
        load_clips(tmp_path)


def test_audio_unsuitable_for_training_is_rejected(tmp_path: Path) -> None:
    loud = np.clip(3.0 * np.sin(np.arange(1_600) / 9.0), -1.0, 1.0)
    nan = np.zeros(1_600)
    nan[7] = np.nan
    paths = [
        put(tmp_path / "normal" / "a.wav", samples=loud),
        put(tmp_path / "normal" / "b.wav", samples=nan),
        put(tmp_path / "normal" / "c.wav"),
    ]
    clipped, undefined, fine = load_clips(tmp_path)
    with pytest.raises(UnusableAudio, match=r"a\.wav is clipped"):
        clipped.samples(RATE)
    with pytest.raises(EmptyAudio, match=r"b\.wav"):
        undefined.samples(RATE)
    paths[2].write_bytes(b"no sound")
    with pytest.raises(NotAudio, match=r"c\.wav"):
        fine.samples(RATE)


def test_a_file_without_audio_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match="nowhere"):
        load_clips(tmp_path / "nowhere")
    with pytest.raises(UnreadableInput, match="no recording"):
        load_clips(tmp_path)
    put(tmp_path / "normal" / "a.wav", samples=np.empty(0))
    with pytest.raises(EmptyAudio, match="no sample"):
        load_clips(tmp_path)
    with pytest.raises(SettingsError, match="'midi'"):
        load_clips(tmp_path, "midi")


def _clips(groups: Sequence[str], label: Label = "normal") -> list[Clip]:
    place = Path("fan/id_00")
    return [
        Clip(place / label / f"{n:08}.wav", f"{n}", "fan", "id_00", label, group, RATE, 1, RATE)
        for n, group in enumerate(groups)
    ]


def test_the_baselines_split_tests_on_the_first_normal_clips() -> None:
    normal, abnormal = _clips("abcde"), _clips("xy", "abnormal")
    train, test = baseline_split([*abnormal, *normal])
    assert train == normal[2:]
    assert test == normal[:2] + abnormal
    with pytest.raises(WrongLayout, match="2 normal and 2 abnormal"):
        baseline_split(normal[:2] + abnormal)
    with pytest.raises(WrongLayout, match="0 abnormal"):
        baseline_split(normal)


def test_a_split_keeps_groups_together_and_has_about_the_shares() -> None:
    clips = _clips([f"source {n // 4}" for n in range(200)])
    parts = split_by_group(clips, (0.7, 0.2, 0.1), 3)
    groups = [{clip.group for clip in part} for part in parts]
    assert not groups[0] & groups[1]
    assert not groups[0] & groups[2]
    assert not groups[1] & groups[2]
    assert [len(part) for part in parts] == pytest.approx([140, 40, 20], abs=4)
    assert split_by_group(clips, (0.7, 0.2, 0.1), 3) == parts
    assert split_by_group(clips, (0.7, 0.2, 0.1), 4) != parts


def test_one_group_is_split_into_contiguous_parts() -> None:
    clips = _clips(["one"] * 10)
    assert split_by_group(clips, (0.8, 0.2), 3) == [clips[:8], clips[8:]]
    assert [len(part) for part in split_by_group(clips[:3], (0.9, 0.05, 0.05), 3)] == [1, 1, 1]
    with pytest.raises(WrongLayout, match="1 clips"):
        split_by_group(clips[:1], (0.8, 0.2), 3)
    with pytest.raises(SettingsError, match="sum of 1"):
        split_by_group(clips, (0.8, 0.1), 3)


def test_an_archive_of_features_is_read_by_snr_and_unit(tmp_path: Path) -> None:
    rows = np.arange(12, dtype=np.float32).reshape(3, 4)
    arrays = {
        f"{snr}dB/{unit}/{label}": rows + k
        for k, (snr, unit, label) in enumerate(
            (s, u, label) for s in ("-6", "6") for u in ("id_02", "id_00") for label in ("normal", "abnormal")
        )
    }
    path = tmp_path / "fan.npz"
    np.savez(path, **arrays)
    cells = load_archive(path)
    assert [(cell.snr_db, cell.unit) for cell in cells] == [
        (6.0, "id_00"), (6.0, "id_02"), (-6.0, "id_00"), (-6.0, "id_02"),
    ]  # fmt: skip
    assert np.array_equal(cells[0].abnormal, arrays["6dB/id_00/abnormal"])


@pytest.mark.parametrize(
    ("arrays", "error", "named"),
    [
        ({"6dB/id_00/normal": np.ones((2, 3))}, WrongLayout, "abnormal"),
        ({"6dB/id_00/normal": np.ones((2, 3)), "6dB/id_00/abnormal": np.ones((0, 3))}, WrongLayout, r"\(0, 3\)"),
        ({"6dB/id_00/normal": np.ones((2, 3)), "6dB/id_00/abnormal": np.ones((2, 4))}, WrongLayout, "3, 4"),
        ({"6dB/id_00/normal": np.ones((2, 3)), "6dB/id_00/abnormal": np.full((2, 3), np.nan)}, EmptyAudio, "finite"),
        ({"weights": np.ones(3)}, WrongLayout, "weights"),
    ],
)
def test_an_incomplete_archive_is_rejected(
    tmp_path: Path, arrays: dict[str, npt.NDArray[np.floating]], error: type[Exception], named: str
) -> None:
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(error, match=named):
        load_archive(tmp_path / "x.npz")


def test_a_file_that_is_not_an_archive_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"PK no zip")
    for path in (tmp_path / "x.npz", tmp_path / "none.npz"):
        with pytest.raises(UnreadableInput):
            load_archive(path)
