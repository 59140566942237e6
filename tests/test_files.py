"""Tests of writing: whole files or none, and never anything but what was asked for."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from graphacct.errors import WriteError
from graphacct.files import write

SCRIPT = "import sys; from graphacct.files import write; write(sys.argv[1], 'content\\n')"


def test_a_file_is_written_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    """A file that existed is replaced by the new content, and the folder holds that one file."""
    target = tmp_path / "out.json"
    target.write_text("something longer than what comes")
    write(target, "new")
    assert target.read_text() == "new"
    assert os.listdir(tmp_path) == ["out.json"]


def test_the_longest_name_that_a_folder_takes_can_be_written(tmp_path: Path) -> None:
    """255 bytes are the most that a name can have; the file beside it must not need more."""
    write(tmp_path / ("a" * 255), "new")
    assert (tmp_path / ("a" * 255)).read_text() == "new"


@pytest.mark.parametrize("name", ["a" * 256, "nul\0byte", "missing/file"])
def test_a_name_that_no_file_can_have_is_an_error_that_names_it(name: str, tmp_path: Path) -> None:
    """The message quotes the path, and nothing is left behind."""
    with pytest.raises(WriteError, match="cannot write"):
        write(tmp_path / name, "new")
    assert os.listdir(tmp_path) == []


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """What a symbolic link points to is written, not put in its place."""
    (tmp_path / "link").symlink_to("target")
    write(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "new"


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="no /dev/stdout here")
def test_dev_stdout_is_written_to_and_never_replaced(tmp_path: Path) -> None:
    """Also when it stands for a file: it is a link that the whole machine uses."""
    before = os.lstat("/dev/stdout")
    with open(tmp_path / "log", "ab") as log:
        log.write(b"line before\n")
        log.flush()
        subprocess.run([sys.executable, "-c", SCRIPT, "/dev/stdout"], stdout=log, check=True)
    assert (tmp_path / "log").read_text() == "line before\ncontent\n"
    assert stat.S_IFMT(os.lstat("/dev/stdout").st_mode) == stat.S_IFMT(before.st_mode)
    assert os.lstat("/dev/stdout").st_ino == before.st_ino


def test_threads_never_swap_their_contents(tmp_path: Path) -> None:
    """Names that share their first 50 characters are two files; whoever writes last has written all of it."""
    paths = [tmp_path / ("n" * 60 + f"_{name}.json") for name in "ab"]

    def put(index: int) -> None:
        write(paths[index % 2], chr(97 + index) * 100_000)

    for _ in range(10):
        threads = [threading.Thread(target=put, args=(index,)) for index in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for index, path in enumerate(paths):
            text = path.read_text()
            assert len(text) == 100_000
            assert len(set(text)) == 1
            assert text[0] in {chr(97 + other) for other in range(index, 8, 2)}
    assert sorted(os.listdir(tmp_path)) == sorted(path.name for path in paths)


def test_a_planted_link_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if its name was guessed: nothing outside is written, and the file is not a link."""
    (tmp_path / "victim").write_text("kept")
    monkeypatch.setattr("graphacct.files.os.urandom", lambda count: b"\0" * count)
    (tmp_path / f".x.json.{'00' * 8}.partial").symlink_to("victim")
    with pytest.raises(WriteError, match=r"cannot write .*: File exists"):
        write(tmp_path / "x.json", "new")
    assert (tmp_path / "victim").read_text() == "kept"


@pytest.mark.skipif(os.name != "posix", reason="permissions are another system's")
def test_permissions_are_kept(tmp_path: Path) -> None:
    """A private file stays private; a new one has the permissions that the umask leaves."""
    private = tmp_path / "private.json"
    private.write_text("old")
    private.chmod(0o600)
    write(private, "new")
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    before = os.umask(0o027)
    try:
        write(tmp_path / "new.json", "new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new.json").stat().st_mode) == 0o640


def test_an_interrupt_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file that was being written is removed, and the one that was there stays."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    (tmp_path / "x.json").write_text("before")
    monkeypatch.setattr("graphacct.files.os.replace", stop)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "x.json", "new")
    assert os.listdir(tmp_path) == ["x.json"]
    assert (tmp_path / "x.json").read_text() == "before"
