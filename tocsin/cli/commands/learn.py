"""`tocsin learn`: a device's first model, trained on its own latest sound."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from connections.kafka import KafkaConnection
from processors.adapters.models.detectors import load_detectors
from processors.core.alerting.detectors import detectors_of
from schemas.assignment import Assignment
from schemas.device import Device
from schemas.errors import SettingsError, TooLittleSound
from schemas.identity import is_name
from schemas.scope import Scope
from schemas.score import Stage
from tocsin.addresses import kafka_connection
from tocsin.cli.options import DeviceId, Json, Kafka
from tocsin.client.devices import read_fleet
from tocsin.device_training.device_audio import DeviceAudio
from tocsin.device_training.read_audio import read_device_audio
from tocsin.settings import Settings, load_settings
from tocsin.terminal import print_json, print_line

_MAX_NAME = 90


def learn(
    device: DeviceId,
    minutes: Annotated[float, typer.Option(min=0.5, max=120.0, help="Minutes of its latest sound to train on.")] = 10.0,
    window: Annotated[int, typer.Option(min=1, max=60, help="Length of a scored window, s.")] = 10,
    detector: Annotated[str, typer.Option(help="Detector that the model is for.")] = "machine",
    guard: Annotated[float, typer.Option(min=0.0, help="Seconds to leave out before and after each alert.")] = 30.0,
    out: Annotated[Path, typer.Option(help="Folder for the model, its metrics and plots.")] = Path("learned"),
    shadow: Annotated[
        bool, typer.Option("--shadow", help="Publish it as shadow: it scores beside the present model, without alerts.")
    ] = False,
    publish: Annotated[bool, typer.Option("--publish/--no-publish", help="Announce the model to the workers.")] = True,
    seed: Annotated[
        int, typer.Option(min=0, max=2**31, help="Seed of the generated anomalies it is evaluated on.")
    ] = 7,
    json: Json = False,
    kafka: Kafka = None,
) -> None:
    """Train a device's own model on its latest sound.

    The training is in closed form, and the model is published for that device only. Sound around alerts is left out,
    unless `tocsin alerts feedback` marked them as false alarms. The model is refused if generated anomalies do not
    score higher than the device's own sound.
    """
    if not is_name(device):
        raise SettingsError(f"{device!r} is not a device id: use letters, digits, '.', '_' and '-'")
    environment = load_settings()
    bootstrap = kafka_connection(environment, kafka)
    audio = asyncio.run(_read_audio(bootstrap, device, detector, 60.0 * minutes, guard))
    began = time.monotonic()
    path, figures = _train(device, detector, audio, window, out, seed)
    result: dict[str, Any] = {
        "device": device,
        "model": str(path),
        "bytes": path.stat().st_size,
        "observed_s": round(audio.observed_s, 1),
        "excluded_s": round(audio.excluded_s, 1),
        "learned_s": round(audio.seconds, 1),
        "took_s": round(time.monotonic() - began, 2),
        **figures,
        "published": None,
    }
    stage: Stage = "shadow" if shadow else "champion"
    if publish:
        assignment = _publish(environment, bootstrap, path, device, stage, audio)
        result["published"] = {"key": assignment.key(), "revision": assignment.revision, "stage": stage}
    if json:
        print_json(result)
    else:
        _print(result, device, stage)


async def _read_audio(
    bootstrap: KafkaConnection, device: str, detector: str, seconds: float, guard_s: float
) -> DeviceAudio:
    fleet = await read_fleet(bootstrap)
    known = fleet.get(device)
    if known is not None:
        _check_detector(known, detector)
    return await read_device_audio(bootstrap, device, seconds, guard_s, fleet)


def _check_detector(device: Device, detector: str) -> None:
    own = detectors_of(device, load_detectors(load_settings().detectors))
    if detector not in own:
        raise SettingsError(
            f"{device.device_id} runs {', '.join(own)}, not {detector!r}: a model for it would score nothing;"
            " choose one with --detector, or announce the device with other detectors"
        )


def _train(
    device: str, detector: str, audio: DeviceAudio, window: int, out: Path, seed: int
) -> tuple[Path, dict[str, Any]]:
    # Imported late: the trainers take a second to load, and mistakes above are reported at once.
    from trainers.export.artefact import write
    from trainers.recipes.knn.options import KnnOptions
    from trainers.recipes.knn.recipe import train_knn

    first, last = _utc(audio.first_ns), _utc(audio.last_ns)
    trained_on = (
        f"{audio.seconds / 60.0:.1f} minutes of the sound of {device}, {first:%Y-%m-%dT%H:%M:%SZ} to"
        f" {last:%Y-%m-%dT%H:%M:%SZ}"
    )
    try:
        options = KnnOptions.parse({"window": str(window), "detector": detector})
        trained = train_knn(audio.runs, f"knn-{device}"[:_MAX_NAME], trained_on, seed, options)
    except TooLittleSound as error:
        left_out = f"; {audio.excluded_s:.0f} s around alerts were left out" if audio.excluded_s else ""
        raise TooLittleSound(f"{device}: {error}{left_out}") from None
    path = write(trained, out, seed, f"{last:%Y%m%dT%H%M%SZ}")
    calibration = trained.calibration
    return path, {"threshold": calibration.threshold, "spread": calibration.spread, "metrics": trained.metrics}


def _publish(
    environment: Settings, bootstrap: KafkaConnection, path: Path, device: str, stage: Stage, audio: DeviceAudio
) -> Assignment:
    from processors.adapters.models.artefact_store import ArtefactStore
    from tocsin.models.keys import signing_key, trusted_keys
    from tocsin.models.publish import publish

    return publish(
        path,
        store=ArtefactStore(environment.store),
        kafka=bootstrap,
        scope=Scope.of_device(device),
        stage=stage,
        key=signing_key(environment),
        trusted=trusted_keys(environment),
        note=f"trained on {audio.seconds / 60.0:.1f} minutes of its own sound",
    )


def _print(result: dict[str, Any], device: str, stage: Stage) -> None:
    print_line(
        f"{result['model']}: {result['bytes'] / 1_000:.0f} kB, trained in {result['took_s']:.1f} s on"
        f" {result['learned_s']:.0f} s of {device}'s sound; {result['excluded_s']:.0f} s around alerts were left out"
    )
    print_line(f"  threshold {result['threshold']:.1f} dB above its usual score, spread {result['spread']:.1f} dB")
    metrics = result["metrics"]
    print_line(
        f"  {metrics['found_generated']:.0%} of generated anomalies exceed it, AUC {metrics['auc_generated']:.3f}"
    )
    if result["published"] is None:
        print_line(f"not published: tocsin models publish {result['model']} --scope device:{device}")
    else:
        print_line(f"published for {device} as {stage}, revision {result['published']['revision']}")


def _utc(ns: int) -> datetime:
    return datetime.fromtimestamp(ns // 1_000_000_000, UTC)
