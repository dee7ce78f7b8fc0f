from pathlib import Path

from backend_server import cascade
from backend_server.chaos.light_cascade import LightCascade


def test_it_has_what_the_worker_asks_of_the_real_one():
    source = Path(cascade.__file__).parent.joinpath("service", "work", "job_run.py").read_text("utf-8")
    asked = {name for name in dir(cascade.Cascade) if f"self._cascade.{name}(" in source}
    assert {"animate", "render"} <= asked
    assert asked <= set(dir(LightCascade))
