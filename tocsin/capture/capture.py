"""A capture from request to manifest: survey, plan, fetch."""

from __future__ import annotations

import hashlib
import io
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import soundfile

from schemas.cloudevents import format_time
from schemas.device import Device
from schemas.errors import OutputError, SettingsError, TocsinError
from schemas.topics import AUDIO
from tocsin.capture.clip import Clip, LabelledClip
from tocsin.capture.clip_audio import Take, takes_of
from tocsin.capture.clipper import Clipper
from tocsin.capture.labels import alert_intervals_of, label
from tocsin.capture.manifest import MANIFEST, CapturedClip, CaptureManifest, CaptureRequest, LeftOut
from tocsin.capture.progress import Advance, steps
from tocsin.capture.selection import Bounds, select
from tocsin.capture.workbench import CaptureJob, PartitionScan, Plan, Workbench
from tocsin.client.alerts import AlertLog
from tocsin.client.audio import OffsetRange, Playback, playback
from tocsin.client.devices import matches, near, read_fleet
from tocsin.diagnostics import say
from trainers.files import write_atomically

_SUFFIX = ".flac"


@dataclass(frozen=True, slots=True)
class Captured:
    """What a run came to.

    Attributes:
        manifest: of the folder.
        added: clips that this run wrote.
    """

    manifest: CaptureManifest
    added: int


async def capture(bootstrap: str, request: CaptureRequest, since_ms: int, until_ms: int, out: Path) -> Captured:
    """Captures into a folder; goes on where an earlier run into it was ended, and adds nothing to a whole one.

    Args:
        bootstrap: Kafka's address.
        request: what is asked for.
        since_ms, until_ms: which time that means now, milliseconds since 1970, by the broker's clock; an earlier
            run's stands.
        out: the folder.

    Raises:
        SettingsError: no device matches, none has sound in that time, or the folder holds something else.
        OutputError: the folder cannot be written, or has no room.
        StackBusy: another process captures into it.
        BrokerUnavailable: Kafka does not answer.
    """
    # Before anything is made: where Kafka is away, nothing is left that a later run would take for a beginning.
    fleet = await read_fleet(bootstrap)
    with _workbench(out) as bench:
        under = bench.settle(CaptureJob(request=request, since_ms=since_ms, until_ms=until_ms), out)
        whole = CaptureManifest.load(out)
        if whole is not None:
            return Captured(whole, 0)
        async with playback(bootstrap) as topic:
            plan = bench.plan()
            if plan is None:
                plan = await _plan(bootstrap, topic, bench, under, fleet)
                bench.keep_plan(plan)
            _check_room(out, plan)
            present, added = await _fetch(topic, plan, fleet, out)
        if not present:
            raise _NothingToCapture(f"the topic dropped all {len(plan.clips)} clips before they could be read")
        manifest = _manifest(under, plan, present)
        write_atomically(out / MANIFEST, manifest.to_bytes())
        return Captured(manifest, added)


@contextmanager
def _workbench(out: Path) -> Iterator[Workbench]:
    """Cleared where the capture became whole or nothing came of it; left where a later run can go on."""
    bench = Workbench(out)
    try:
        yield bench
    except _NothingToCapture as nothing:
        bench.clear()
        raise SettingsError(str(nothing)) from None
    except BaseException:
        bench.release()
        raise
    bench.clear()


class _NothingToCapture(TocsinError):
    pass


async def _plan(
    bootstrap: str, topic: Playback, bench: Workbench, under: CaptureJob, fleet: Mapping[str, Device]
) -> Plan:
    request = under.request
    found = await _survey(topic, bench, under, fleet)
    clips = {clip.place: clip for part in reversed(found) for clip in part.clips}
    heard = {name for part in found for name in part.devices}
    if not clips:
        raise _NothingToCapture(_why_nothing(request, heard, fleet))
    doubts = alert_intervals_of(await AlertLog.read(bootstrap))
    guard_ns = request.guard_ms * 1_000_000
    labelled = [label(clip, doubts.get(clip.device_id, ()), guard_ns) for clip in clips.values()]
    certain = [one for one in labelled if one is not None]
    if not certain:
        raise _NothingToCapture(
            f"all {len(clips)} clips of that time lie inside or near alerts: judge them with `tocsin alerts verdict`,"
            " or take more time with --since"
        )
    chosen = select(certain, Bounds(60.0 * request.device_minutes, request.max_bytes))
    left = LeftOut(near_alerts=len(labelled) - len(certain), beyond_bounds=len(certain) - len(chosen))
    return Plan(clips=_named(chosen), left_out=left)


async def _survey(
    topic: Playback, bench: Workbench, under: CaptureJob, fleet: Mapping[str, Device]
) -> list[PartitionScan]:
    """What every partition holds; each is kept when it is done."""
    stretches = await topic.stretches(under.since_ms, under.until_ms)
    found = []
    with steps("looking for sound", sum(one.end_offset - one.first_offset for one in stretches), "records") as advance:
        for stretch in stretches:
            known = bench.surveyed(stretch)
            if known is None:
                known = await _survey_one(topic, stretch, under.request, fleet, advance)
                bench.keep_surveyed(stretch.partition, known)
            found.append(known)
    return found


async def _survey_one(
    topic: Playback, stretch: OffsetRange, request: CaptureRequest, fleet: Mapping[str, Device], advance: Advance
) -> PartitionScan:
    heard: dict[str, bool] = {}

    def wanted(device_id: str) -> bool:
        if device_id not in heard:
            heard[device_id] = matches(device_id, request.devices)
        return heard[device_id]

    clipper = Clipper(request.clip_ms)
    clips: list[Clip] = []
    told = stretch.first_offset
    async for played in topic.play(stretch, wanted, fleet):
        clips += clipper.take(played)
        advance(played.offset - told)
        told = played.offset
    advance(stretch.end_offset - told)
    return PartitionScan(
        first_offset=stretch.first_offset,
        end_offset=stretch.end_offset,
        clips=tuple(clips),
        devices=tuple(sorted(heard)),
    )


def _why_nothing(request: CaptureRequest, heard: Iterable[str], fleet: Mapping[str, Device]) -> str:
    known = {*heard, *fleet}
    if not any(matches(name, request.devices) for name in known):
        return f"no device matches {', '.join(map(repr, request.devices))}: {near(known, request.devices)}"
    span = f"since {request.since}" + (f" until {request.until}" if request.until else "")
    who = ", ".join(sorted(name for name in known if matches(name, request.devices))[:5])
    return (
        f"{who}: the topic {AUDIO.name} holds no unbroken {request.clip_ms / 1_000:g} s of sound {span}: take more time"
        f" with --since, or shorter clips; sound is kept for {AUDIO.retention_ms // 3_600_000} h unless the topic's"
        " retention was raised"
    )


def _named(chosen: Sequence[LabelledClip]) -> dict[str, LabelledClip]:
    files: dict[str, LabelledClip] = {}
    for one in chosen:
        file = f"{one.label}/{one.clip.device_id}/{one.clip.name()}{_SUFFIX}"
        if file in files:
            # A clock that was set back within the session.
            file = file.replace(one.clip.session_id, f"{one.clip.session_id}.{one.clip.first_sample}")
        files[file] = one
    return files


def _check_room(out: Path, plan: Plan) -> None:
    due = sum(one.clip.most_bytes for file, one in plan.clips.items() if not (out / file).exists())
    free = shutil.disk_usage(out).free
    if due > free:
        raise OutputError(
            f"{out}: up to {due / 1e9:.2f} GB are to be written and {free / 1e9:.2f} GB are free: free some disk space,"
            " or name a new folder with a lower --max-gb"
        )


async def _fetch(
    topic: Playback, plan: Plan, fleet: Mapping[str, Device], out: Path
) -> tuple[dict[str, tuple[str, int]], int]:
    """Writes the clips that are not there yet; digest and size by file, and how many were written."""
    present: dict[str, tuple[str, int]] = {}
    due: dict[int, dict[tuple[str, str, int], str]] = {}
    for file, one in plan.clips.items():
        if _is_there(out / file, one.clip):
            raw = (out / file).read_bytes()
            present[file] = (hashlib.sha256(raw).hexdigest(), len(raw))
        else:
            due.setdefault(one.clip.partition, {})[one.clip.place] = file
    added = 0
    with steps("writing clips", sum(map(len, due.values())), "clips") as advance:
        for partition, files in sorted(due.items()):
            clips = [plan.clips[file].clip for file in files.values()]
            async for take in takes_of(topic, partition, clips, fleet):
                advance(1)
                if take.whole:
                    file = files[take.clip.place]
                    raw = _encoded(take)
                    write_atomically(out / file, raw)
                    present[file] = (hashlib.sha256(raw).hexdigest(), len(raw))
                    added += 1
    expired = len(plan.clips) - len(present)
    if expired:
        say(f"{expired} of {len(plan.clips)} clips were dropped by the topic before they could be read")
    return present, added


def _is_there(path: Path, clip: Clip) -> bool:
    try:
        info = soundfile.info(path)
    except (soundfile.LibsndfileError, OSError):
        return False
    return (info.frames, info.samplerate, info.channels) == (clip.n_samples, clip.sample_rate, clip.channels)


def _encoded(take: Take) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, take.samples, take.clip.sample_rate, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def _manifest(under: CaptureJob, plan: Plan, present: Mapping[str, tuple[str, int]]) -> CaptureManifest:
    clips = tuple(
        CapturedClip(
            **dict(one),
            file=file,
            captured=format_time(one.clip.captured_ns),
            sha256=present[file][0],
            size=present[file][1],
        )
        for file, one in plan.clips.items()
        if file in present
    )
    left = plan.left_out.model_copy(update={"expired": len(plan.clips) - len(clips)})
    return CaptureManifest(
        topic=AUDIO.name,
        request=under.request,
        since_ms=under.since_ms,
        until_ms=under.until_ms,
        clips=clips,
        left_out=left,
    )


def summary(captured: Captured, out: Path) -> dict[str, object]:
    """What a capture came to, for JSON."""
    clips = captured.manifest.clips
    devices: dict[str, Counter[str]] = {}
    for one in clips:
        devices.setdefault(one.clip.device_id, Counter())[one.label] += 1
    return {
        "out": str(out),
        "manifest": str(out / MANIFEST),
        "clips": len(clips),
        "added": captured.added,
        "normal": sum(one.label == "normal" for one in clips),
        "hard_negatives": sum(one.hard_negative for one in clips),
        "abnormal": sum(one.label == "abnormal" for one in clips),
        "seconds": round(sum(one.clip.seconds for one in clips), 3),
        "bytes": sum(one.size for one in clips),
        "hours": len({(one.clip.device_id, one.clip.hour) for one in clips}),
        "devices": {name: dict(sorted(devices[name].items())) for name in sorted(devices)},
        "left_out": captured.manifest.left_out.model_dump(),
    }
