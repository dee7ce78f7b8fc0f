"""Tests a batch on a real Ray cluster of two nodes, one of which is lost in the middle."""

import time

import pytest

from backend_server.batch.run import BatchSettings, Order, run_batch
from shared.errors import SpeechFaceError

pytest.importorskip("ray", reason="the extra batch is not installed")

from ray.cluster_utils import Cluster

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
LINES = 16


@pytest.fixture
def cluster(monkeypatch):
    """Two nodes with one core each, on this machine."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    made.add_node(num_cpus=1)
    made.wait_for_nodes()
    yield made
    made.shutdown()


def test_a_lost_node_loses_no_line_and_the_results_are_those_of_one_machine(cluster, manifest, tree_of, tmp_path):
    source = manifest(LINES)
    reports, said = [], []

    def watch(stage, step, steps):
        reports.append((stage, step, time.monotonic()))
        if stage == "lines" and step == 4:
            cluster.remove_node(cluster.worker_nodes.copy().pop(), allow_graceful=False)

    def run(out, progress, **changes):
        return run_batch(BatchSettings(Order(str(source)), out, **changes), progress, said.append, said.append)

    summary = run(tmp_path / "cluster", watch, ray=cluster.address)
    assert (summary.done, summary.failed) == (LINES, 0), said
    assert run(tmp_path / "here", lambda *_: None, jobs=1).done == LINES
    assert tree_of(tmp_path / "cluster") == tree_of(tmp_path / "here")


def test_a_cluster_that_does_not_answer_is_told(manifest, tmp_path):
    settings = BatchSettings(Order(str(manifest(1))), tmp_path / "out", ray="127.0.0.1:1")
    with pytest.raises(SpeechFaceError) as caught:
        run_batch(settings, lambda *_: None, lambda _: None, lambda _: None)
    assert "the Ray cluster 127.0.0.1:1 does not answer" in caught.value.sentence
