"""A producer's counts as Prometheus metrics, computed when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from producers.kafka.publisher import Publisher
from producers.stats import ProducerStats


class ProducerCollector(Collector):
    """See the module.

    Args:
        stats: of the run.
        publisher: of its chunks.
    """

    def __init__(self, stats: ProducerStats, publisher: Publisher) -> None:
        self._stats, self._publisher = stats, publisher

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are now."""
        stats, publisher = self._stats, self._publisher
        # A copy: the dictionary grows in another thread.
        seconds = sum(samples / rate for rate, samples in list(stats.samples_by_rate.items()))
        for name, text, count in (
            ("tocsin_producer_sound_sent_seconds", "Sound sent, all devices together.", seconds),
            ("tocsin_producer_chunks_sent", "Chunks sent.", stats.chunks),
            ("tocsin_producer_sent_bytes", "PCM sent.", stats.bytes),
            ("tocsin_producer_sessions", "Sessions begun.", stats.sessions),
            ("tocsin_producer_clipped_samples", "Values clipped at full scale.", stats.clipped),
            ("tocsin_producer_lost_samples", "Samples lost before they could be read.", stats.lost),
            ("tocsin_producer_failures", "Sources not played to their end.", len(stats.failures)),
        ):
            yield CounterMetricFamily(name, text, value=count)
        for name, text, value in (
            ("tocsin_producer_devices", "Devices announced.", len(stats.devices)),
            (
                "tocsin_producer_undelivered_chunks",
                "Chunks that Kafka has not confirmed.",
                publisher.undelivered_chunks,
            ),
            ("tocsin_producer_pending_bytes", "Bytes that Kafka has not confirmed.", publisher.pending_bytes),
            ("tocsin_producer_pending_limit_bytes", "Most such bytes; then the source waits.", publisher.max_bytes),
        ):
            yield GaugeMetricFamily(name, text, value=value)
