"""`tocsin learn`: a device's first model, from its own last sound."""

from __future__ import annotations

import asyncio
import json as jsonlib
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from processors.core.alerting.detectors import detectors_of
from schemas.assignment import Assignment
from schemas.device import Device
from schemas.errors import SettingsError, TooLittleSound
from schemas.identity import is_name
from schemas.scope import Scope
from schemas.score import Stage
from tocsin.addresses import kafka_address
from tocsin.client.devices import read_fleet
from tocsin.device_training.audio_read import listen
from tocsin.device_training.device_audio import OwnSound
from tocsin.settings import Settings, load_settings

_LONGEST_NAME = 90


def learn(
    device: Annotated[str, typer.Argument(help="The device's id.")],
    minutes: Annotated[float, typer.Option(min=0.5, max=120.0, help="Of its last sound to learn from.")] = 10.0,
    window: Annotated[int, typer.Option(min=1, max=60, help="Seconds of sound a score is about.")] = 10,
    detector: Annotated[str, typer.Option(help="The role the model plays.")] = "machine",
    guard: Annotated[float, typer.Option(min=0.0, help="Seconds left out before and after an alert.")] = 30.0,
    out: Annotated[Path, typer.Option(help="Folder for the model, its figures and pictures.")] = Path("learned"),
    shadow: Annotated[bool, typer.Option("--shadow", help="Score beside the present model, without alerts.")] = False,
    publish: Annotated[bool, typer.Option("--publish/--no-publish", help="Announce it to the workers.")] = True,
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="Of the anomalies it is tried on.")] = 7,
    json: Annotated[bool, typer.Option("--json", help="Print what came of it as one JSON object.")] = False,
    kafka: Annotated[str | None, typer.Option(help="Kafka's address; the local stack's unless given.")] = None,
) -> None:
    """Learn a device's normal sound from what it last sent, in closed form, and publish the model for it alone.

    Sound around alerts is left out, unless `tocsin alerts verdict` called them false. The model is refused where
    generated anomalies do not score higher than the device's own sound.
    """
    if not is_name(device):
        raise SettingsError(f"{device!r} is no device id: letters, digits, '.', '_' and '-' are")
    environment = load_settings()
    bootstrap = kafka_address(environment, kafka)
    sound = asyncio.run(_heard(bootstrap, device, detector, 60.0 * minutes, guard))
    began = time.monotonic()
    path, figures = _learned(device, detector, sound, window, out, seed)
    told: dict[str, Any] = {
        "device": device,
        "model": str(path),
        "bytes": path.stat().st_size,
        "heard_s": round(sound.heard_s, 1),
        "doubtful_s": round(sound.doubtful_s, 1),
        "learned_s": round(sound.seconds, 1),
        "took_s": round(time.monotonic() - began, 2),
        **figures,
        "published": None,
    }
    stage: Stage = "shadow" if shadow else "champion"
    if publish:
        announced = _published(environment, bootstrap, path, device, stage, sound)
        told["published"] = {"key": announced.key(), "revision": announced.revision, "stage": stage}
    if json:
        print(jsonlib.dumps(told))
    else:
        _print(told, device, stage)


async def _heard(bootstrap: str, device: str, detector: str, seconds: float, guard_s: float) -> OwnSound:
    fleet = await read_fleet(bootstrap)
    known = fleet.get(device)
    if known is not None:
        _check_role(known, detector)
    return await listen(bootstrap, device, seconds, guard_s, fleet)


def _check_role(device: Device, detector: str) -> None:
    roles = detectors_of(device)
    if detector not in roles:
        raise SettingsError(
            f"{device.device_id} runs {', '.join(roles)}, not {detector!r}: its own model would score nothing; name one"
            " with --detector, or announce the device with other detectors"
        )


def _learned(
    device: str, detector: str, sound: OwnSound, window: int, out: Path, seed: int
) -> tuple[Path, dict[str, Any]]:
    # Training's modules take a second to load; a mistake above should be told at once.
    from trainers.export.artefact import write
    from trainers.recipes.knn.options import KnnOptions
    from trainers.recipes.knn.recipe import train_knn

    first, last = _moment(sound.first_ns), _moment(sound.last_ns)
    about = (
        f"{sound.seconds / 60.0:.1f} minutes of the sound of {device}, {first:%Y-%m-%dT%H:%M:%SZ} to"
        f" {last:%Y-%m-%dT%H:%M:%SZ}"
    )
    try:
        options = KnnOptions.parse({"window": str(window), "detector": detector})
        trained = train_knn(sound.runs, f"knn-{device}"[:_LONGEST_NAME], about, seed, options)
    except TooLittleSound as error:
        left_out = f"; {sound.doubtful_s:.0f} s around alerts were left out" if sound.doubtful_s else ""
        raise TooLittleSound(f"{device}: {error}{left_out}") from None
    path = write(trained, out, seed, f"{last:%Y%m%dT%H%M%SZ}")
    calibration = trained.calibration
    return path, {"threshold": calibration.threshold, "spread": calibration.spread, "metrics": trained.metrics}


def _published(
    environment: Settings, bootstrap: str, path: Path, device: str, stage: Stage, sound: OwnSound
) -> Assignment:
    from processors.adapters.models.artefact_store import ArtefactStore
    from processors.adapters.models.signing import load_private_key
    from tocsin.models.publish import publish

    return publish(
        path,
        store=ArtefactStore(environment.store),
        kafka=bootstrap,
        scope=Scope.of_device(device),
        stage=stage,
        key=load_private_key(environment.model_key) if environment.model_key else None,
        note=f"learned from {sound.seconds / 60.0:.1f} minutes of its own sound",
    )


def _print(told: dict[str, Any], device: str, stage: Stage) -> None:
    print(
        f"{told['model']}: {told['bytes'] / 1_000:.0f} kB, learned in {told['took_s']:.1f} s from"
        f" {told['learned_s']:.0f} s of the sound of {device}; {told['doubtful_s']:.0f} s around alerts were left out"
    )
    print(f"  threshold {told['threshold']:.1f} dB above its usual score, spread {told['spread']:.1f} dB")
    metrics = told["metrics"]
    print(f"  of generated anomalies {metrics['found_generated']:.0%} pass it, AUC {metrics['auc_generated']:.3f}")
    if told["published"] is None:
        print(f"not published: tocsin models publish {told['model']} --scope {Scope.of_device(device)}")
    else:
        print(f"published for {device} as {stage}, revision {told['published']['revision']}")


def _moment(ns: int) -> datetime:
    return datetime.fromtimestamp(ns // 1_000_000_000, UTC)
