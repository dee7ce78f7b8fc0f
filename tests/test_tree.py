"""Tests that the tracked files keep the repository's rules about files, words, links, pins and sizes."""

import ast
import re
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MEBIBYTE = 2**20
TOP_LEVEL = {
    *(".ci", ".gitignore", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "backend_server"),
    *("blender_addon", "build.py", "build_addon.py", "build_client.py", "build_gpu.py", "build_wheel.py"),
    *("docs", "examples", "pyproject.toml", "shared", "speech_face_client", "tests"),
}
FORBIDDEN = re.compile(
    "|".join([r"\bTO" + r"DO\b", r"\bFIX" + r"ME\b", r"\bX" + r"XX\b", r"\bNotImplemented" + r"Error\b"])
)
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "misc", "common"}
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


@pytest.fixture(scope="module")
def tracked():
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listing.returncode:
        pytest.skip("this copy is not a git checkout")
    paths = [Path(name) for name in listing.stdout.decode().split("\0") if name]
    return [path for path in paths if (ROOT / path).exists()]


def lines_of(path):
    return (ROOT / path).read_text("utf-8").splitlines()


def test_the_top_level_is_the_one_of_the_architecture_page(tracked):
    assert {path.parts[0] for path in tracked} <= TOP_LEVEL


def test_no_python_file_has_more_than_350_lines(tracked):
    long = {str(path): len(lines_of(path)) for path in tracked if path.suffix == ".py"}
    assert {path: count for path, count in long.items() if count > 350} == {}


def test_names_say_what_is_inside(tracked):
    assert [str(path) for path in tracked if VAGUE_NAMES & {path.stem, *path.parent.parts}] == []


def test_no_unfinished_work_is_marked_in_code(tracked):
    found = [
        f"{path}:{number}: {line.strip()}"
        for path in tracked
        if path.suffix in (".py", ".toml", ".md", ".sh") and path.name != "LICENSE"
        for number, line in enumerate(lines_of(path), 1)
        if FORBIDDEN.search(line)
    ]
    assert found == []


def test_every_package_and_module_says_what_it_is_for(tracked):
    modules = [path for path in tracked if path.suffix == ".py" and path.parts[0] != "tests"]
    silent = [str(path) for path in modules if not ast.get_docstring(ast.parse((ROOT / path).read_text("utf-8")))]
    assert silent == []


def test_links_between_pages_resolve(tracked):
    broken = []
    for path in tracked:
        if path.suffix != ".md":
            continue
        text = re.sub(r"```.*?```", "", (ROOT / path).read_text("utf-8"), flags=re.DOTALL)
        for target in LINK.findall(text):
            if re.match(r"[a-z]+:", target) or target.startswith("#"):
                continue
            file = (ROOT / path).parent / target.split("#")[0]
            if not file.exists():
                broken.append(f"{path}: {target}")
    assert broken == []


def test_prose_in_pages_is_wrapped(tracked):
    long = []
    for path in (path for path in tracked if path.suffix == ".md"):
        is_code = False
        for number, line in enumerate(lines_of(path), 1):
            is_code ^= line.startswith("```")
            if len(line) > 120 and not is_code and not line.startswith(("|", "    ")):
                long.append(f"{path}:{number}")
    assert long == []


def test_every_exact_pin_carries_its_reason(tracked):
    lines = lines_of("pyproject.toml")
    bare = [line for line in lines if re.match(r'\s*(\w+ = \[)?"[\w-]+==', line) and "#" not in line]
    assert bare == []
    document = tomllib.loads("\n".join(lines))
    assert document["project"]["license"] == "GPL-3.0-or-later"


def test_weights_stay_within_40_mebibytes_and_no_other_file_is_large(tracked):
    sizes = {str(path): (ROOT / path).stat().st_size for path in tracked}
    weights = {path: size for path, size in sizes.items() if path.startswith("backend_server/weights/")}
    assert sum(weights.values()) <= 40 * MEBIBYTE
    large = {path: size for path, size in sizes.items() if size > 2 * MEBIBYTE and path not in weights}
    assert large == {}


def test_scripts_can_be_started(tracked):
    listing = subprocess.run(["git", "ls-files", "-s", ".ci/run"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert listing.stdout.startswith("100755")


def test_every_file_of_the_packages_is_in_their_wheel(tracked):
    given = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["package-data"]
    patterns = [f"{package}/{pattern}" for package, own in given.items() for pattern in own]
    packages = ("backend_server", "shared", "speech_face_client")
    read = [path for path in tracked if path.parts[0] in packages and path.name != "pyproject.toml"]
    others = [path.as_posix() for path in read if path.suffix != ".py"]
    assert others
    assert [path for path in others if not any(fnmatch(path, pattern) for pattern in patterns)] == []
