"""A worker's counts as Prometheus metrics, computed when they are asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from processors.core.accounting.sound_counts import Outcome
from processors.core.accounting.stream_counts import Histogram, StreamCounts

_SOUND: dict[Outcome, tuple[str, str]] = {
    "received": ("tocsin_sound_received_seconds", "Sound received in chunks that could be decoded."),
    "scored": ("tocsin_sound_scored_seconds", "Sound in at least one scored window."),
    "refused": ("tocsin_sound_refused_seconds", "Sound in chunks that became dead letters, by error."),
    "skipped": ("tocsin_sound_skipped_seconds", "Sound in no window, by reason."),
    "missing": ("tocsin_sound_missing_seconds", "Sound left out by the numbering of its session: never received."),
}
_WITH_REASON: tuple[Outcome, ...] = ("refused", "skipped")


@dataclass(frozen=True, slots=True)
class Gauge:
    """A value that is read when asked for.

    Attributes:
        name: by Prometheus's convention, with its unit.
        help: one sentence.
        read: the present value; None leaves the metric out.
        counts_up: whether the value only ever increases; then ``_total`` is added to the name.
    """

    name: str
    help: str
    read: Callable[[], float | None]
    counts_up: bool = False


class StreamCollector(Collector):
    """See the module.

    Args:
        counts: of the worker.
        gauges: further values.
        by_device: whether sound is labelled with its device; one time series each.
    """

    def __init__(self, counts: StreamCounts, gauges: tuple[Gauge, ...] = (), *, by_device: bool = False) -> None:
        self._counts, self._gauges, self._by_device = counts, gauges, by_device

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are now."""
        counts = self._counts
        yield from self._sound()
        yield _counter("tocsin_chunks", "Chunks decoded.", counts.chunks)
        yield _counter("tocsin_records_acknowledged", "Audio records handled to their end.", counts.acknowledged)
        yield _counter("tocsin_windows_degraded", "Windows decided without Redis.", counts.windows_degraded)
        yield _counter("tocsin_records_lost", "Records deleted before they were read.", counts.records_lost)
        yield _labelled("tocsin_windows_scored", "Windows scored.", ("detector", "stage"), counts.windows)
        yield _labelled("tocsin_alerts", "Alert revisions, by state.", ("detector", "state"), counts.alerts)
        yield _labelled("tocsin_notices", "Notices, by kind.", ("kind",), _single(counts.notices))
        yield _labelled("tocsin_dead_letters", "Dead letters, by error.", ("error",), _single(counts.dead_letters))
        refused = _single(counts.models_refused)
        yield _labelled("tocsin_models_refused", "Announced models refused, by error.", ("error",), refused)
        yield _histogram(
            "tocsin_capture_to_alert_seconds",
            "From the end of the window that opened an alert to its sending, by the clocks of device and worker.",
            counts.capture_to_alert,
        )
        for gauge in self._gauges:
            value = gauge.read()
            if value is not None:
                family = CounterMetricFamily if gauge.counts_up else GaugeMetricFamily
                yield family(gauge.name, gauge.help, value=value)

    def _sound(self) -> Iterator[Metric]:
        seconds: dict[Outcome, Counter[tuple[str, ...]]] = {outcome: Counter() for outcome in _SOUND}
        for device_id, key, samples in self._counts.sound.items():
            labels = (device_id,) if self._by_device else ()
            if key.outcome in _WITH_REASON:
                labels = (*labels, key.reason)
            seconds[key.outcome][labels] += samples / key.sample_rate  # type: ignore[assignment]
        for outcome, (name, text) in _SOUND.items():
            names = (("device",) if self._by_device else ()) + (("reason",) if outcome in _WITH_REASON else ())
            if not names and not seconds[outcome]:
                seconds[outcome][()] = 0
            yield _labelled(name, text, names, seconds[outcome])
        if not self._by_device:
            total = {outcome: sum(values.values()) for outcome, values in seconds.items()}
            pending = total["received"] - total["scored"] - total["refused"] - total["skipped"]
            yield GaugeMetricFamily(
                "tocsin_sound_pending_seconds",
                "Sound received that waits for the rest of its window.",
                value=max(0.0, round(pending, 6)),
            )


def _single(counts: Mapping[str, float]) -> dict[tuple[str], float]:
    return {(name,): value for name, value in list(counts.items())}


def _counter(name: str, text: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, value=value)


def _labelled(name: str, text: str, labels: tuple[str, ...], values: Mapping[Any, float]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=labels)
    for key, value in sorted([*values.items()]):  # a copy: another thread counts
        family.add_metric(key, value)
    return family


def _histogram(name: str, text: str, histogram: Histogram) -> HistogramMetricFamily:
    counts, below, buckets = list(histogram.counts), 0, []
    for bound, count in zip((*map(str, histogram.bounds), "+Inf"), counts, strict=True):
        below += count
        buckets.append((bound, below))
    return HistogramMetricFamily(name, text, buckets=buckets, sum_value=histogram.total)
