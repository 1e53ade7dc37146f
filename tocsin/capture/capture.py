"""A capture from request to manifest: scan the partitions, plan, write the clips."""

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

from connections.kafka import KafkaConnection
from schemas.cloudevents import format_time
from schemas.device import Device
from schemas.errors import OutputError, SettingsError, TocsinError
from schemas.topics import AUDIO
from tocsin.capture.clip import Clip, LabelledClip
from tocsin.capture.clip_assembly import ClipAssembly, assemble_clips
from tocsin.capture.clipper import Clipper
from tocsin.capture.labels import alert_intervals_of, label
from tocsin.capture.manifest import MANIFEST, CapturedClip, CaptureManifest, CaptureRequest, LeftOut
from tocsin.capture.progress import Advance, progress_bar
from tocsin.capture.selection import Bounds, select
from tocsin.capture.workspace import CaptureJob, CaptureWorkspace, PartitionScan, Plan
from tocsin.client.alerts import AlertLog
from tocsin.client.audio_reader import AudioReader, OffsetRange, audio_reader
from tocsin.client.devices import matches, near, read_fleet
from tocsin.diagnostics import log_line
from trainers.files import write_atomically

_SUFFIX = ".flac"


@dataclass(frozen=True, slots=True)
class Captured:
    """Result of a run.

    Attributes:
        manifest: of the folder.
        added: number of clips that this run wrote.
    """

    manifest: CaptureManifest
    added: int


async def capture(
    bootstrap: KafkaConnection, request: CaptureRequest, since_ms: int, until_ms: int, out: Path
) -> Captured:
    """Captures into a folder; resumes an interrupted run, and leaves a complete capture unchanged.

    Args:
        bootstrap: the connection to Kafka.
        request: what to capture.
        since_ms, until_ms: the time span, milliseconds since 1970, by the broker's clock; a resumed run keeps its
            own.
        out: the folder.

    Raises:
        SettingsError: no device matches, none has sound in that time, or the folder has other content.
        OutputError: the folder cannot be written, or has too little space.
        StackBusy: another process captures into it.
        BrokerUnavailable: Kafka does not answer.
    """
    # Before anything is written: if Kafka is unavailable, no unfinished capture is left behind.
    fleet = await read_fleet(bootstrap)
    with _workspace(out) as workspace:
        job = workspace.resume_or_begin(CaptureJob(request=request, since_ms=since_ms, until_ms=until_ms), out)
        complete = CaptureManifest.load(out)
        if complete is not None:
            return Captured(complete, 0)
        async with audio_reader(bootstrap) as reader:
            plan = workspace.plan()
            if plan is None:
                plan = await _plan(bootstrap, reader, workspace, job, fleet)
                workspace.save_plan(plan)
            _check_free_space(out, plan)
            present, added = await _write_clips(reader, plan, fleet, out)
        if not present:
            raise _NothingToCaptureError(f"the topic dropped all {len(plan.clips)} clips before they could be read")
        manifest = _manifest(job, plan, present)
        write_atomically(out / MANIFEST, manifest.to_bytes())
        return Captured(manifest, added)


@contextmanager
def _workspace(out: Path) -> Iterator[CaptureWorkspace]:
    """Removed when the capture is complete or there is nothing to capture; kept for a later run to resume otherwise."""
    workspace = CaptureWorkspace(out)
    try:
        yield workspace
    except _NothingToCaptureError as nothing:
        workspace.remove()
        raise SettingsError(str(nothing)) from None
    except BaseException:
        workspace.release()
        raise
    workspace.remove()


class _NothingToCaptureError(TocsinError):
    pass


async def _plan(
    bootstrap: KafkaConnection,
    reader: AudioReader,
    workspace: CaptureWorkspace,
    job: CaptureJob,
    fleet: Mapping[str, Device],
) -> Plan:
    request = job.request
    scans = await _scan(reader, workspace, job, fleet)
    clips = {clip.key: clip for scan in reversed(scans) for clip in scan.clips}
    devices = {name for scan in scans for name in scan.devices}
    if not clips:
        raise _NothingToCaptureError(_nothing_found(request, devices, fleet))
    intervals = alert_intervals_of(await AlertLog.read(bootstrap))
    guard_ns = request.guard_ms * 1_000_000
    labelled = [label(clip, intervals.get(clip.device_id, ()), guard_ns) for clip in clips.values()]
    usable = [one for one in labelled if one is not None]
    if not usable:
        raise _NothingToCaptureError(
            f"all {len(clips)} clips of that time are inside or near alerts: give feedback with"
            " `tocsin alerts feedback`, or an earlier --since"
        )
    chosen = select(usable, Bounds(60.0 * request.device_minutes, request.max_bytes))
    left = LeftOut(near_alerts=len(labelled) - len(usable), beyond_bounds=len(usable) - len(chosen))
    return Plan(clips=_by_file(chosen), left_out=left)


async def _scan(
    reader: AudioReader, workspace: CaptureWorkspace, job: CaptureJob, fleet: Mapping[str, Device]
) -> list[PartitionScan]:
    """Scans every partition; each result is saved when complete."""
    ranges = await reader.offset_ranges(job.since_ms, job.until_ms)
    scans = []
    with progress_bar(
        "scanning for sound", sum(one.end_offset - one.first_offset for one in ranges), "records"
    ) as advance:
        for offsets in ranges:
            scan = workspace.scan_of(offsets)
            if scan is None:
                scan = await _scan_partition(reader, offsets, job.request, fleet, advance)
                workspace.save_scan(offsets.partition, scan)
            scans.append(scan)
    return scans


async def _scan_partition(
    reader: AudioReader, offsets: OffsetRange, request: CaptureRequest, fleet: Mapping[str, Device], advance: Advance
) -> PartitionScan:
    matching: dict[str, bool] = {}

    def wanted(device_id: str) -> bool:
        if device_id not in matching:
            matching[device_id] = matches(device_id, request.devices)
        return matching[device_id]

    clipper = Clipper(request.clip_ms)
    clips: list[Clip] = []
    position = offsets.first_offset
    async for replayed in reader.replay(offsets, wanted, fleet):
        clips += clipper.add(replayed)
        advance(replayed.offset - position)
        position = replayed.offset
    advance(offsets.end_offset - position)
    return PartitionScan(
        first_offset=offsets.first_offset,
        end_offset=offsets.end_offset,
        clips=tuple(clips),
        devices=tuple(sorted(matching)),
    )


def _nothing_found(request: CaptureRequest, devices: Iterable[str], fleet: Mapping[str, Device]) -> str:
    known = {*devices, *fleet}
    if not any(matches(name, request.devices) for name in known):
        return f"no device matches {', '.join(map(repr, request.devices))}: {near(known, request.devices)}"
    span = f"since {request.since}" + (f" until {request.until}" if request.until else "")
    who = ", ".join(sorted(name for name in known if matches(name, request.devices))[:5])
    return (
        f"{who}: the topic {AUDIO.name} holds no continuous {request.clip_ms / 1_000:g} s of sound {span}: give an"
        f" earlier --since, or shorter clips; sound is retained for {AUDIO.retention_ms // 3_600_000} h unless the"
        " topic's retention was raised"
    )


def _by_file(chosen: Sequence[LabelledClip]) -> dict[str, LabelledClip]:
    files: dict[str, LabelledClip] = {}
    for one in chosen:
        file = f"{one.label}/{one.clip.device_id}/{one.clip.name()}{_SUFFIX}"
        if file in files:
            # The device's clock was set back within the session.
            file = file.replace(one.clip.session_id, f"{one.clip.session_id}.{one.clip.first_sample}")
        files[file] = one
    return files


def _check_free_space(out: Path, plan: Plan) -> None:
    needed = sum(one.clip.max_bytes for file, one in plan.clips.items() if not (out / file).exists())
    free = shutil.disk_usage(out).free
    if needed > free:
        raise OutputError(
            f"{out}: up to {needed / 1e9:.2f} GB must be written and {free / 1e9:.2f} GB are free: free some disk"
            " space, or name a new folder with a lower --max-gb"
        )


async def _write_clips(
    reader: AudioReader, plan: Plan, fleet: Mapping[str, Device], out: Path
) -> tuple[dict[str, tuple[str, int]], int]:
    """Writes the missing clips; returns digest and size by file, and the number of clips written."""
    present: dict[str, tuple[str, int]] = {}
    missing: dict[int, dict[tuple[str, str, int], str]] = {}
    for file, one in plan.clips.items():
        if _is_complete(out / file, one.clip):
            raw = (out / file).read_bytes()
            present[file] = (hashlib.sha256(raw).hexdigest(), len(raw))
        else:
            missing.setdefault(one.clip.partition, {})[one.clip.key] = file
    added = 0
    with progress_bar("writing clips", sum(map(len, missing.values())), "clips") as advance:
        for partition, files in sorted(missing.items()):
            clips = [plan.clips[file].clip for file in files.values()]
            async for assembly in assemble_clips(reader, partition, clips, fleet):
                advance(1)
                if assembly.complete:
                    file = files[assembly.clip.key]
                    raw = _encoded(assembly)
                    write_atomically(out / file, raw)
                    present[file] = (hashlib.sha256(raw).hexdigest(), len(raw))
                    added += 1
    expired = len(plan.clips) - len(present)
    if expired:
        log_line(f"{expired} of {len(plan.clips)} clips were dropped by the topic before they could be read")
    return present, added


def _is_complete(path: Path, clip: Clip) -> bool:
    try:
        info = soundfile.info(path)
    except (soundfile.LibsndfileError, OSError):
        return False
    return (info.frames, info.samplerate, info.channels) == (clip.n_samples, clip.sample_rate, clip.channels)


def _encoded(assembly: ClipAssembly) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, assembly.samples, assembly.clip.sample_rate, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def _manifest(job: CaptureJob, plan: Plan, present: Mapping[str, tuple[str, int]]) -> CaptureManifest:
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
        request=job.request,
        since_ms=job.since_ms,
        until_ms=job.until_ms,
        clips=clips,
        left_out=left,
    )


def summary(captured: Captured, out: Path) -> dict[str, object]:
    """Result of a capture, for JSON."""
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
