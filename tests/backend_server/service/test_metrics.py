import re
import socket
import urllib.error
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from backend_server.service.inquiry import ask_status
from backend_server.service.metrics import Exporter
from shared import protocol
from shared.errors import ErrorCode, ValueRangeError
from shared.health import JobCounts

BAD_SOUND, WAIT = 6, 9


@pytest.fixture
def report():
    def make(**values):
        fields = {"backend": "b", "protocol": "2.2", "pid": 1, "uptime_seconds": 2.5, "state": "ready", **values}
        return protocol.StatusReport(**fields)

    return make


@pytest.fixture
def exporter(report):
    exporter = Exporter(0, report(state="loading"))
    yield exporter
    exporter.close()


def scrape(address):
    """Name and labels of each figure -> its value."""
    with urllib.request.urlopen(address, timeout=10) as response:
        text = response.read().decode()
    return {
        (sample.name.removeprefix("speech_face_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def address_of(service):
    return re.search(r"figures for Prometheus at (\S+)", service.log)[1]


def test_prometheus_reads_what_status_says(new_service, animate):
    service = new_service(metrics_port=0)
    client = service.client()
    for seed in (0, BAD_SOUND):
        client.finish(client.send(animate(seed=seed)).job)
    client.until(protocol.Progress, job=client.send(animate(seed=WAIT)).job)
    client.send(animate())
    for figure in ("queue_length", "worker_busy"):  # they are told after one another
        service.wait_for(lambda figure=figure: scrape(address_of(service))[(figure,)] == 1)
    found, told = scrape(address_of(service)), ask_status(service.connection_file)
    assert found[("ready",)] == found[("worker_busy",)] == found[("clients",)] == found[("jobs_done_total",)] == 1
    assert found[("jobs_failed_total", "bad_sound")] == 1
    assert found[("jobs_failed_total", "no_face")] == 0
    assert {key[1]: value for key, value in found.items() if key[0] == "jobs"} == told.jobs.by_state
    assert found[("spool_bytes",)] == told.spool_bytes
    assert found[("worker_memory_bytes",)] > 2**20
    assert found[("report_age_seconds",)] < 10


def test_it_listens_on_this_machine_only_and_only_if_asked(new_service, service):
    asked = new_service(metrics_port=0)
    for each in (service, asked):
        each.client()  # it has begun when it answers
    assert "Prometheus" not in service.log
    address = address_of(asked)
    assert address.startswith("http://127.0.0.1:")
    port = int(address.rpartition(":")[2].partition("/")[0])
    with pytest.raises(OSError), socket.create_connection(("127.0.0.2", port), 5):
        pass


def test_the_figures_stand_in_the_last_report(exporter, report):
    assert scrape(exporter.address)[("ready",)] == 0
    exporter.publish(report(jobs=JobCounts(failed={"no_face": 3}, retried=2)))
    found = scrape(exporter.address)
    assert (found[("ready",)], found[("jobs_retried_total",)], found[("jobs_failed_total", "no_face")]) == (1, 2, 3)
    assert {key[1] for key in found if key[0] == "jobs_failed_total"} == set(ErrorCode)
    assert found[("uptime_seconds",)] == 2.5


def test_a_taken_port_is_named(report):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ValueRangeError, match=f"port {port}"):
            Exporter(port, report())


def test_it_is_gone_after_closing(report):
    exporter = Exporter(0, report())
    exporter.close()
    with pytest.raises(urllib.error.URLError):
        scrape(exporter.address)
