"""Tests of writing: whole files or none, and never anything but what was asked for."""

import os
import stat
import subprocess
import sys
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
