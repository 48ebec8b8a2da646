"""Local files: what is found, and that nothing outside of the folder is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from payfulfill import Buyer, ProductRef
from payfulfill.errors import ConfigurationError
from payfulfill.web import File, LocalFiles

ADA = Buyer("ada")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "shop-2" / "design").mkdir(parents=True)
    (tmp_path / "shop-2" / "design" / "d1.txt").write_text("of another shop")
    folder = tmp_path / "shop"
    (folder / "design").mkdir(parents=True)
    (folder / "design" / "d1.zip").write_bytes(b"0123456789")
    return folder


def find(files: LocalFiles, id: str, kind: str = "design") -> File | None:
    return files.find(ProductRef(kind, id), ADA)


def content(file: File | None) -> bytes:
    assert file is not None
    found = b"".join(file.read(0, file.size))
    assert len(found) == file.size
    return found


def test_a_file_is_found_by_its_name_without_the_ending(folder: Path) -> None:
    file = find(LocalFiles(folder), "d1")
    assert content(file) == b"0123456789"
    assert file is not None
    assert (file.name, file.media_type) == ("d1.zip", "application/zip")
    assert b"".join(file.read(3, 5)) == b"34"
    assert find(LocalFiles(str(folder)), "d1.zip") is not None


def test_the_exact_name_goes_first(folder: Path) -> None:
    (folder / "design" / "d1").write_text("exact")
    (folder / "design" / "d1.a").write_text("first of those with an ending")
    assert content(find(LocalFiles(folder), "d1")) == b"exact"
    (folder / "design" / "d1").unlink()
    assert content(find(LocalFiles(folder), "d1")).startswith(b"first")


def test_what_is_no_file_is_passed_over(folder: Path) -> None:
    (folder / "design" / "d1").mkdir()
    assert content(find(LocalFiles(folder), "d1")) == b"0123456789"
    os.mkfifo(folder / "design" / "d2.zip")
    assert find(LocalFiles(folder), "d2") is None


@pytest.mark.parametrize("name", ["d1.tar.gz", "d1.nobody-knows", "d1"])
def test_a_type_that_nobody_knows_is_just_bytes(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x")
    file = find(LocalFiles(tmp_path, lambda ref: name), "d1")
    assert file is not None
    assert file.media_type == "application/octet-stream"


BAD = ["..", ".", "../design/d1.zip", "../../secret.txt", "design/d1.zip", "/etc/passwd", "a\\b"]
BAD += ["x" * 300, "*", "?", "[d]1", "d1.*", "D1", "d1 ", "~", "d1\n", "\u202e", "é" * 250]


@pytest.mark.parametrize("bad", BAD)
def test_an_id_is_a_name_and_no_path(folder: Path, bad: str) -> None:
    files = LocalFiles(folder)
    assert find(files, bad) is None
    assert find(files, "d1", bad) is None
    assert find(files, bad, bad) is None


@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt",
        "design/../../secret.txt",
        "../shop-2/design/d1.txt",
        "design",
        "",
        ".",
        "\0",
    ],
)
def test_no_path_of_the_hosts_leaves_the_folder(folder: Path, path: str) -> None:
    assert find(LocalFiles(folder, lambda ref: path), "d1") is None


def test_no_absolute_path_either(folder: Path) -> None:
    outside = str(folder.parent / "secret.txt")
    assert find(LocalFiles(folder, lambda ref: outside), "d1") is None
    inside = str(folder / "design" / "d1.zip")
    assert content(find(LocalFiles(folder, lambda ref: inside), "d1")) == b"0123456789"


def test_no_link_leaves_the_folder(folder: Path) -> None:
    design = folder / "design"
    (design / "d2.txt").symlink_to(folder.parent / "secret.txt")
    (design / "d3.txt").symlink_to("d1.zip")
    (design / "d4.txt").symlink_to("d4.txt")
    (design / "d5.txt").symlink_to("nothing")
    (folder / "course").symlink_to(folder.parent / "shop-2" / "design")
    files = LocalFiles(folder)
    assert find(files, "d2") is None
    assert content(find(files, "d3")) == b"0123456789"
    assert find(files, "d4") is None
    assert find(files, "d5") is None
    assert find(files, "d1", "course") is None


def test_the_folder_itself_may_be_a_link(folder: Path) -> None:
    link = folder.parent / "link"
    link.symlink_to(folder)
    assert content(find(LocalFiles(link), "d1")) == b"0123456789"


def test_a_tag_changes_with_the_file(folder: Path) -> None:
    place, tags = folder / "design" / "d1.zip", set()
    for time, text in ((1, "a"), (2, "a"), (2, "ab")):
        place.write_text(text)
        os.utime(place, ns=(time, time))
        file = find(LocalFiles(folder), "d1")
        assert file is not None
        tags.add(file.etag)
    assert len(tags) == 3


def test_a_file_that_changed_since_is_not_read(folder: Path) -> None:
    file = find(LocalFiles(folder), "d1")
    assert file is not None
    (folder / "design" / "d1.zip").write_text("other")
    with pytest.raises(OSError, match="changed or replaced"):
        next(file.read(0, 10))
    (folder / "design" / "d1.zip").unlink()
    with pytest.raises(FileNotFoundError):
        next(file.read(0, 10))


def test_a_large_file_comes_in_pieces(folder: Path) -> None:
    (folder / "design" / "d1.zip").write_bytes(bytes(200_000))
    file = find(LocalFiles(folder), "d1")
    assert file is not None
    pieces = [len(piece) for piece in file.read(1, 200_000)]
    assert sum(pieces) == 199_999
    assert max(pieces) == 65536


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_there_must_be_a_folder(tmp_path: Path, kind: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="no folder"):
        LocalFiles(tmp_path / kind)


def test_a_name_that_is_no_utf_8(folder: Path) -> None:
    """Left behind by another system."""
    name = os.fsdecode(b"d9.\xff")
    (folder / "design" / name).write_text("x")
    assert content(find(LocalFiles(folder), "d9")) == b"x"
