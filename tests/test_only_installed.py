"""The option `--only-installed` fails what it should, and nothing else."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CASES = """
import pathlib, subprocess, sys, tempfile
import pytest

HERE = pathlib.Path(__file__).resolve()
DATA = HERE.parents[2] / "shared" / "speech.txt"

def test_own_file(): HERE.read_bytes()
def test_temporary_file(tmp_path): (tmp_path / "a").write_text("a")
def test_own_python(): subprocess.run([sys.executable, "-c", ""], check=True)
def test_program_on_the_path(): subprocess.run(["sh", "-c", ""], check=True)
def test_foreign_file(): open("/bin/sh", "rb").close()
def test_foreign_program(): subprocess.run(["/opt/voices/flite"])
def test_data_without_the_mark(): DATA.read_bytes()
@pytest.mark.corpus
def test_data_with_the_mark(): DATA.read_bytes()
"""


@pytest.mark.skipif(os.name == "nt", reason="the cases name files of a POSIX system")
def test_only_what_the_project_installed_may_be_read(tmp_path):
    tests = tmp_path / "checkout" / "tests"
    tests.mkdir(parents=True)
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "speech.txt").touch()
    (tmp_path / "temporary").mkdir()
    shutil.copy(Path(__file__).with_name("conftest.py"), tests)
    (tests / "test_cases.py").write_text(CASES)
    (tmp_path / "checkout" / "pytest.ini").write_text("[pytest]\nmarkers = corpus: needs the data\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rfE", str(tests), "--only-installed"]
    environment = {**os.environ, "TMPDIR": str(tmp_path / "temporary"), "HOME": str(tmp_path / "temporary")}
    run = subprocess.run(
        command, cwd=tmp_path / "checkout", env=environment, capture_output=True, text=True, check=False
    )
    assert set(re.findall(r"ERROR \S+::(\w+) - Failed", run.stdout)) == {
        "test_foreign_file",
        "test_foreign_program",
        "test_data_without_the_mark",
    }, run.stdout
    assert "did not install: open: /bin/sh" in run.stdout
    assert "did not install: subprocess.Popen: /opt/voices/flite" in run.stdout
    assert "programs started by tests: flite (1)" in run.stdout
