"""Tests that a file of results replaces neither what was read nor anything else that is not ours."""

import errno
import os

import pytest
from PIL import Image

from backend_server.commands.output_file import check_apart, output_file
from backend_server.commands.output_folder import output_folder
from backend_server.commands.owned_files import LIST
from backend_server.identities.pictures import portrait_path
from backend_server.identity import load_identity
from shared.errors import NoSpaceError, ValueRangeError

links = pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")


def write(target, text):
    """One run that writes this file; returns what it said."""
    said = []
    with output_file(target, said.append) as temporary:
        temporary.write_text(text)
    return said


def names(folder):
    return {path.name for path in folder.iterdir()} - {LIST}


@pytest.fixture
def photo(tmp_path):
    """A folder with one photo, and its content."""
    path = tmp_path / "pics" / "me.png"
    path.parent.mkdir()
    Image.new("RGB", (20, 20)).save(path)
    return path


def test_only_what_an_earlier_run_wrote_is_replaced(tmp_path):
    target = tmp_path / "new folder" / "face.safetensors"
    assert write(target, "first") == write(target, "second") == []
    assert target.read_text() == "second" and names(target.parent) == {target.name}
    target.write_text("edited")
    kept = target.with_name("face (kept).safetensors")
    sentence = f"{target} was not written by Speech Face, or was changed since; it is now {kept}"
    assert write(target, "third") == [sentence]
    assert (target.read_text(), kept.read_text()) == ("third", "edited")


def test_a_failure_renames_nothing(tmp_path):
    target = tmp_path / "thesis.txt"
    target.write_text("three years of work")
    with pytest.raises(KeyboardInterrupt), output_file(target) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert names(tmp_path) == {"thesis.txt"} and target.read_text() == "three years of work"


@links
def test_a_link_is_set_aside_and_not_followed(tmp_path):
    (tmp_path / "thesis.txt").write_text("three years of work")
    (tmp_path / "face").symlink_to(tmp_path / "thesis.txt")
    write(tmp_path / "face", "new")
    assert (tmp_path / "thesis.txt").read_text() == "three years of work"
    assert (tmp_path / "face").read_text() == "new" and (tmp_path / "face (kept)").is_symlink()


def test_it_is_not_deleted_with_the_results_of_its_folder(tmp_path):
    write(tmp_path / "face.safetensors", "a face")
    for _ in range(2):
        with output_folder(tmp_path) as folder:
            (folder / "curves.json").write_text("made")
    assert (tmp_path / "face.safetensors").read_text() == "a face"
    assert write(tmp_path / "face.safetensors", "another") == []


@pytest.mark.parametrize(
    ("number", "kind", "sentence"),
    [(errno.ENOSPC, NoSpaceError, "is full; free some space"), (errno.EROFS, ValueRangeError, "cannot write .*face")],
)
def test_a_place_that_cannot_be_written_is_named(tmp_path, number, kind, sentence):
    with pytest.raises(kind, match=sentence), output_file(tmp_path / "face"):
        raise OSError(number, os.strerror(number))
    assert names(tmp_path) == set()


@links
def test_an_input_is_known_by_any_name(photo, tmp_path):
    (tmp_path / "link.png").symlink_to(photo)
    (tmp_path / "same").symlink_to(photo.parent)
    for target in (photo, tmp_path / "link.png", tmp_path / "same" / ".." / "pics" / "me.png"):
        with pytest.raises(ValueRangeError, match=r"would replace .*me\.png, which is read; choose another name"):
            check_apart(target, [tmp_path / "missing", photo])
    (photo.parent / "away.png").symlink_to(tmp_path / "elsewhere.png")
    inside = (
        photo.with_name("new"),
        tmp_path / "same" / "new",
        photo,
        tmp_path / "link.png",
        photo.parent / "away.png",
    )
    for target in inside:
        with pytest.raises(ValueRangeError, match=r"would lie among the files of .*pics, which are read"):
            check_apart(target, [photo.parent])
    check_apart(photo.parent / "deeper" / "new", [photo.parent])
    check_apart(photo.with_name("new.png"), [photo])


@pytest.mark.parametrize("option", ["out", "preview", "sheet", "landmarks"])
@pytest.mark.parametrize("is_folder", [True, False])
def test_adapt_never_replaces_what_it_reads(run_command, photo, tmp_path, option, is_folder):
    pictures, landmarks = photo.parent if is_folder else photo, tmp_path / "points.json"
    landmarks.write_text("{}")
    if option == "sheet":  # a photo with the name that the sheet would get
        photo = photo.rename(photo.with_name("face.png"))
        pictures = photo.parent if is_folder else photo
    places = {
        "out": ("--out", photo),
        "preview": ("--out", tmp_path / "face", "--preview", photo),
        "sheet": ("--out", photo.with_name("face")),
        "landmarks": ("--out", landmarks, "--landmarks", landmarks),
    }
    before = {path: path.read_bytes() for path in (photo, landmarks)}
    result = run_command("adapt", "--images", pictures, "--epochs", 0, *places[option])
    assert result.exit_code == 2
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert ("would lie among" if is_folder and option != "landmarks" else "would replace") in line
    assert {path: path.read_bytes() for path in before} == before
    assert names(tmp_path) == {"pics", "points.json"} and names(photo.parent) == {photo.name}


def test_adapt_wants_a_name_of_its_own_for_each_result(run_command, photo, tmp_path):
    (tmp_path / "face.png").mkdir()
    words = ("adapt", "--images", photo, "--out", tmp_path / "face")
    assert "face.png is a folder" in run_command(*words).stderr
    (tmp_path / "face.png").rmdir()
    assert "has the name of another result" in run_command(*words, "--preview", tmp_path / "face.png").stderr


@pytest.mark.slow
def test_adapt_sets_files_of_others_aside(run_command, tmp_path):
    for name in ("thesis.txt", "thesis.txt.png", "now.png"):
        (tmp_path / name).write_text("mine")
    words = ("adapt", "--images", portrait_path(), "--out", tmp_path / "thesis.txt", "--preview", tmp_path / "now.png")
    for epochs in (1, 0):
        result = run_command(*words, "--epochs", epochs)
        assert result.exit_code == 0, result.stderr
        assert result.stderr.count("was not written by Speech Face") == (3 if epochs else 0)
    assert load_identity(tmp_path / "thesis.txt").record.epochs == 0
    kept = {"thesis (kept).txt", "thesis.txt (kept).png", "now (kept).png"}
    assert names(tmp_path) == {"thesis.txt", "thesis.txt.png", "now.png", *kept}
    assert {(tmp_path / name).read_text() for name in kept} == {"mine"}


def test_export_sets_files_of_others_aside_and_spares_the_kept_faces(run_command, face, data_folder, tmp_path):
    from backend_server.identities.store import IdentityStore, identity_folder

    store, name = IdentityStore(identity_folder(data_folder)), "ab" * 32
    store.save(face(name))
    target = tmp_path / "thesis.txt"
    target.write_text("mine")
    for _ in range(2):
        result = run_command("identities", "export", name[:6], target)
        assert result.exit_code == 0, result.stderr
    assert (tmp_path / "thesis (kept).txt").read_text() == "mine"
    assert load_identity(target).record.identity == name and names(tmp_path) == {"thesis.txt", "thesis (kept).txt"}
    result = run_command("identities", "export", name[:6], store.path(name))
    assert result.exit_code == 2 and "would lie among the files of" in result.stderr
    assert store.has(name)
