"""Small synthetic sets in the file layouts of public data sets, so that every recipe runs without those."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from schemas.errors import OutputError, SettingsError
from synthesis.draws import seed_of
from synthesis.intermittent import INTERMITTENT
from synthesis.leak import logger_clip
from synthesis.machine import KINDS
from synthesis.recording import RecordingSite
from synthesis.sound import SAMPLE_RATE
from trainers.files import write_atomically
from trainers.progress import track

Int16 = npt.NDArray[np.int16]

MARKER = "synthetic.json"
"""A file in every synthetic set with its layout and options."""

_LEAK_RATE, _LEAK_SECONDS = 8_000, 5.46
_SOURCE_DOMAIN_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class SetOptions:
    """Size and content of a synthetic set.

    Attributes:
        types: machine types.
        ids: machines of each type; loggers in the leak layout.
        snr_db: machine over factory noise, dB.
        severity_db: a fault over its machine, dB; varies by up to 3 dB between clips.
        clips, anomalies: normal and faulty clips of a machine at each SNR.
        seconds: of a clip; fixed at 5.46 s in the leak layout.
        channels: of the MIMII layouts.
        seed: of all sound.
    """

    types: tuple[str, ...] = ("fan", "pump", "slider", "valve")
    ids: int = 4
    snr_db: tuple[float, ...] = (6.0, 0.0, -6.0)
    clips: int = 8
    anomalies: int = 4
    seconds: float = 4.0
    severity_db: float = 0.0
    channels: int = 2
    seed: int = 7


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    rate: int
    samples: Callable[[], Int16]


def write_set(layout: str, out: Path, options: SetOptions) -> int:
    """Writes a set; the same options give the same bytes.

    Args:
        layout: one of :data:`LAYOUTS`.
        out: folder, created as needed; must be empty.
        options: see :class:`SetOptions`.

    Returns:
        Number of files written.

    Raises:
        SettingsError: the layout or a machine type is unknown.
        OutputError: the folder is not empty or cannot be written.
    """
    if layout not in LAYOUTS:
        raise SettingsError(f"unknown layout {layout!r}; known layouts: {', '.join(LAYOUTS)}")
    for kind in options.types:
        if kind not in KINDS and kind not in INTERMITTENT:
            raise SettingsError(f"unknown machine type {kind!r}; known types: {', '.join([*KINDS, *INTERMITTENT])}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(f"{out} exists and is not an empty folder: name a new one")
    files = list(LAYOUTS[layout](options))
    # Written first, so that an interrupted set is recognised as synthetic too.
    write_atomically(out / MARKER, (json.dumps({"layout": layout} | asdict(options), indent=1) + "\n").encode())
    for file in track(files, "writing"):
        _write(out / file.name, file)
    return len(files)


def is_synthetic(root: Path) -> bool:
    """Whether a set was written by :func:`write_set`."""
    return (root / MARKER).is_file()


def _write(path: Path, file: _File) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(part, file.samples(), file.rate, subtype="PCM_16", format="WAV")
        part.replace(path)
    except (OSError, soundfile.LibsndfileError) as error:
        part.unlink(missing_ok=True)
        raise OutputError(f"{path} cannot be written: {error}: is there space, and may you write there?") from None


def _sites(options: SetOptions) -> Iterator[tuple[str, int, RecordingSite]]:
    """MIMII numbers its machines 0, 2, 4, 6."""
    for index, kind in enumerate(options.types):
        for number in range(options.ids):
            yield kind, 2 * number, RecordingSite(seed_of(seed_of(options.seed, index), number), kind)


def _cut(
    site: RecordingSite, number: int, options: SetOptions, snr_db: float, *, faulty: bool, channels: int
) -> Callable[[], Int16]:
    return lambda: site.clip(
        number, options.seconds, snr_db, faulty=faulty, severity_db=options.severity_db, channels=channels
    )


def _machines(options: SetOptions, folder: Callable[[str, float], str]) -> Iterator[_File]:
    for kind, unit, site in _sites(options):
        for snr_db in options.snr_db:
            for label, count in (("normal", options.clips), ("abnormal", options.anomalies)):
                for number in range(count):
                    samples = _cut(site, number, options, snr_db, faulty=label == "abnormal", channels=options.channels)
                    name = f"{folder(kind, snr_db)}/{kind}/id_{unit:02}/{label}/{number:08}.wav"
                    yield _File(name, SAMPLE_RATE, samples)


def _mimii(options: SetOptions) -> Iterator[_File]:
    def folder(_kind: str, snr_db: float) -> str:
        return f"dataset/{'min' if snr_db < 0 else ''}{abs(snr_db):g}dB"

    return _machines(options, folder)


def _mimii_zip(options: SetOptions) -> Iterator[_File]:
    return _machines(options, lambda kind, snr_db: f"{snr_db:g}_dB_{kind}")


def _dcase(options: SetOptions) -> Iterator[_File]:
    """One section per machine; the target domain is the same machine in stronger noise."""
    for kind, unit, site in _sites(options):
        section = unit // 2
        source_clips = max(1, round(_SOURCE_DOMAIN_SHARE * options.clips))
        for number in range(options.clips):
            domain = "source" if number < source_clips else "target"
            samples = _cut(site, number, options, _domain_snr(options, domain), faulty=False, channels=1)
            name = f"section_{section:02}_{domain}_train_normal_{number:04}_snr_{_domain_snr(options, domain):g}.wav"
            yield _File(f"{kind}/train/{name}", SAMPLE_RATE, samples)
        for label in ("normal", "anomaly"):
            for number in range(options.anomalies):
                domain = "source" if number % 2 == 0 else "target"
                snr_db = _domain_snr(options, domain)
                faulty = label == "anomaly"
                # Numbered after the training clips, so that no audio repeats.
                samples = _cut(site, options.clips + number, options, snr_db, faulty=faulty, channels=1)
                name = f"section_{section:02}_{domain}_test_{label}_{number:04}_snr_{snr_db:g}.wav"
                yield _File(f"{kind}/test/{name}", SAMPLE_RATE, samples)


def _domain_snr(options: SetOptions, domain: str) -> float:
    return options.snr_db[0] if domain == "source" else options.snr_db[-1]


def _dcase_2020(options: SetOptions) -> Iterator[_File]:
    for kind, unit, site in _sites(options):
        snr_db = options.snr_db[0]
        for number in range(options.clips):
            samples = _cut(site, number, options, snr_db, faulty=False, channels=1)
            yield _File(f"{kind}/train/normal_id_{unit:02}_{number:08}.wav", SAMPLE_RATE, samples)
        for label in ("normal", "anomaly"):
            for number in range(options.anomalies):
                samples = _cut(site, options.clips + number, options, snr_db, faulty=label == "anomaly", channels=1)
                yield _File(f"{kind}/test/{label}_id_{unit:02}_{number:08}.wav", SAMPLE_RATE, samples)


def _leak(options: SetOptions) -> Iterator[_File]:
    """One point per logger; clips are an hour apart."""
    for logger in range(options.ids):
        logger_seed = seed_of(options.seed, logger)
        rng = np.random.default_rng(logger_seed)
        noise, material, diameter = int(rng.integers(1, 6)), int(rng.integers(1, 8)), int(rng.choice([100, 200, 300]))
        for label, count in ((1, options.clips), (3, options.anomalies)):
            for number in range(count):
                hour = number if label == 1 else options.clips + number
                stamp = f"202203{1 + hour // 24:02}{hour % 24:02}0000"
                code = f"{label}{noise}{material:02}{diameter:04}"

                def samples(seed: int = logger_seed, hour: int = hour, leaking: bool = label == 3) -> Int16:
                    return logger_clip(seed, hour, _LEAK_SECONDS, leaking=leaking)

                yield _File(f"P{logger:03}-D{logger:04}-{stamp}-{code}.wav", _LEAK_RATE, samples)


def _folders(options: SetOptions) -> Iterator[_File]:
    """Plain folders; file names identify machine and clip."""
    for kind, unit, site in _sites(options):
        for snr_db in options.snr_db[:1]:
            for label, count in (("normal", options.clips), ("abnormal", options.anomalies)):
                for number in range(count):
                    samples = _cut(site, number, options, snr_db, faulty=label == "abnormal", channels=1)
                    yield _File(f"{label}/{kind}-id-{unit:02}-clip{number:04}.wav", SAMPLE_RATE, samples)


LAYOUTS: dict[str, Callable[[SetOptions], Iterator[_File]]] = {
    "mimii": _mimii,
    "mimii-zip": _mimii_zip,
    "dcase": _dcase,
    "dcase-2020": _dcase_2020,
    "leak": _leak,
    "folders": _folders,
}
"""Writers by layout: MIMII as unpacked by its baseline and by its archives, DCASE Task 2 since 2021 and of 2020,
water-pipe loggers, plain folders."""
