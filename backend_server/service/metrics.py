"""Serves the health of the service to Prometheus, over HTTP and to this machine only.

The loop publishes a report once a second; the threads of the HTTP server read the last one and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from backend_server.service.health import READY
from shared.errors import ErrorCode, ValueRangeError
from shared.protocol import StatusReport

_HOST = "127.0.0.1"


class Exporter(Collector):
    """The HTTP server.

    Args:
        port: to listen on; 0 takes a free one.
        report: what is told until the first `publish`.

    Raises:
        ValueRangeError: the port cannot be used.
    """

    def __init__(self, port: int, report: StatusReport) -> None:
        self._published = (time.monotonic(), report)
        registry = CollectorRegistry()
        registry.register(self)
        try:
            self._server, self._thread = start_http_server(port, addr=_HOST, registry=registry)
        except OSError as error:
            raise ValueRangeError(
                f"--metrics cannot listen on port {port} ({error.strerror}); choose another port"
            ) from error

    @property
    def address(self) -> str:
        """Where Prometheus finds the figures."""
        return f"http://{_HOST}:{self._server.server_port}/metrics"

    def publish(self, report: StatusReport) -> None:
        """Replaces what is told."""
        self._published = (time.monotonic(), report)

    def describe(self) -> Iterator[Metric]:
        """Nothing: the registry need not look for names that are taken."""
        yield from ()

    def collect(self) -> Iterator[Metric]:
        """The figures of the last report."""
        published, report = self._published
        yield from figures(report, time.monotonic() - published)

    def close(self) -> None:
        """Ends the HTTP server."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def figures(report: StatusReport, age_seconds: float) -> Iterator[Metric]:
    """What a report says, in the words of Prometheus.

    Args:
        report: of the service.
        age_seconds: since it was made.
    """
    names = ("backend", "protocol", "device", "weights_version")
    yield InfoMetricFamily(
        "speech_face", "Program, device and weights.", value={name: getattr(report, name) for name in names}
    )
    worker, jobs = report.worker, report.jobs
    yield _gauge("ready", "1 if jobs can be done.", report.state == READY)
    yield _gauge(
        "report_age_seconds", "Since these figures were made; the service makes new ones each second.", age_seconds
    )
    yield _gauge("uptime_seconds", "Since the service began.", report.uptime_seconds)
    yield _gauge("server_memory_bytes", "Memory of the server process.", report.memory_bytes)
    yield _gauge("worker_running", "1 if there is a worker process.", worker is not None)
    yield _gauge("worker_memory_bytes", "Memory of the worker process.", worker.memory_bytes if worker else 0)
    yield _gauge("worker_busy", "1 if the worker does a job.", bool(worker and worker.job))
    yield _gauge("queue_length", "Jobs that wait.", report.queue_length)
    yield _by("jobs", "Jobs that are kept.", "state", jobs.by_state)
    yield _gauge("clients", "Connected clients.", report.client_count)
    yield _gauge("spool_bytes", "What requests and results take.", report.spool_bytes)
    yield _gauge("spool_limit_bytes", "What they may take.", report.spool_limit_bytes)
    yield _gauge("disk_free_bytes", "Free on the disk of the data folder.", report.disk_free_bytes)
    yield _counter("jobs_done", "Jobs that succeeded.", jobs.done)
    yield _counter("jobs_cancelled", "Jobs that were cancelled.", jobs.cancelled)
    yield _counter("jobs_retried", "How often a job was tried again.", jobs.retried)
    failed = CounterMetricFamily("speech_face_jobs_failed", "Jobs that failed.", labels=["code"])
    for code in ErrorCode:
        failed.add_metric([code.value], jobs.failed.get(code.value, 0))
    yield failed


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(f"speech_face_{name}", meaning, value=float(value))


def _counter(name: str, meaning: str, value: int) -> Metric:
    return CounterMetricFamily(f"speech_face_{name}", meaning, value=value)


def _by(name: str, meaning: str, label: str, values: Mapping[str, int]) -> Metric:
    gauge = GaugeMetricFamily(f"speech_face_{name}", meaning, labels=[label])
    for key, value in values.items():
        gauge.add_metric([key], value)
    return gauge
