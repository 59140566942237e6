"""The contract of a reader."""

from __future__ import annotations

import os
import sys
import tempfile
import tracemalloc
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from graphacct.errors import GraphacctError, PluginError
from graphacct.graph.graph import Graph
from graphacct.graph.validate import validate
from graphacct.models.find import find_model
from graphacct.models.reader import Reader
from graphacct.testing.totals import ModelContract
from graphacct.verbs.build import build

STRANGE: tuple[Any, ...] = (None, 0, 1.5, "", "no such model", "no/such/file.xyz", (), [], {}, {"a": 1}, object(), len)
"""What a reader may be asked about and must decline: it is asked before a thing is taken for another's."""
CONTENTS = (b"", b"\x00\xff\xfe", b"{", b"[]", b"{}", b"[1", b'"text"', b"\x93NUMPY")
"""The beginnings of files that are no model."""
LARGE = 2**24
"""The bytes of a large file, which `accepts` must not read whole."""


class ReaderContract(ModelContract):
    """What holds for every reader. A subclass sets `reader` and `rows`, whose models are files or objects.

    Attributes:
        reader: The reader, or its name.
        files: Files to write beside the tests, by the name that a row's model gives: text or bytes.
        may_open: How often it may open a file to read it.
        also_accepts: Strange things that it does read: a mapping, for one that reads mappings.
    """

    kind = "readers"
    noun = "reader"
    reader: ClassVar[Reader | str]
    files: ClassVar[Mapping[str, str | bytes]] = {}
    may_open: ClassVar[int] = 1
    also_accepts: ClassVar[Sequence[Any]] = ()

    def test_it_says_what_it_reads(self) -> None:
        """`graphacct list readers` has its sentence."""
        self.check_sentence()

    def test_it_accepts_its_own_and_nothing_else(self) -> None:
        """It accepts the rows' models, and declines anything else without an exception."""
        accepts = self.thing().accepts
        with self._written():
            for row in self.rows:
                if accepts(row.model) is not True:
                    self.fail(f"it does not accept {row}", "accepts(model) returns True for what it reads.")
            for strange in STRANGE:
                if strange in self.also_accepts:
                    continue
                self._declines(strange, repr(strange))
            os.mkdir("an empty folder")
            self._declines("an empty folder", "a folder")

    def test_it_reads_a_sound_graph(self) -> None:
        """What it reads is a graph whose operators are all registered, or a model that builds one."""
        with self._written():
            for row in self.rows:
                found = find_model(row.model, self.in_use())
                if isinstance(found, Graph):
                    validate(found)
                self.check_costed(row, self.account(row, unknown="report"))

    def test_a_graph_that_it_read_can_be_saved(self) -> None:
        """`graphacct export` of it reads back with the same totals."""
        with self._written():
            for row in self.rows:
                self.check_written_and_read(row, self.graph(row))

    def test_a_damaged_file_is_an_error_that_names_it(self) -> None:
        """A file with its end cut off, or with other content, is declined or raises an error of graphacct's."""
        with self._written() as folder:
            for name, content in self.files.items():
                whole = content if isinstance(content, bytes) else content.encode()
                for damaged in (*CONTENTS, whole[: len(whole) // 2], whole[:-2], whole[1:]):
                    with open(os.path.join(folder, name), "wb") as file:
                        file.write(damaged)
                    self._survives(name, damaged)

    def test_accepts_looks_at_the_beginning_alone(self) -> None:
        """It is asked about every path: of a large file it reads no more than the beginning."""
        with self._written():
            for name in self.files:
                with open(name, "ab") as file:
                    file.truncate(LARGE)
                tracemalloc.start()
                try:
                    self.thing().accepts(name)
                    most = tracemalloc.get_traced_memory()[1]
                finally:
                    tracemalloc.stop()
                if most > LARGE // 2:
                    self.fail(
                        f"accepts({name!r}) reads {most:,} of {LARGE:,} bytes",
                        "Look at the file's name and its first bytes: file.read(64). It is asked about every path.",
                    )

    def test_it_reads_a_file_once(self) -> None:
        """A model is opened once to read it: it may be large, and on a slow disk."""
        with self._written() as folder:
            for row in self.rows:
                if not isinstance(row.model, str) or row.model not in self.files:
                    continue
                with _opened(folder) as paths:
                    self._read(row.model)
                for path, times in Counter(paths).items():
                    if times > self.may_open:
                        self.fail(
                            f"it opens {path!r} {times} times to read {row}",
                            "Read a file once and hand on what is in it; or say how often: may_open = 2.",
                        )

    def _survives(self, name: str, content: bytes) -> None:
        reader = self.thing()
        try:
            if reader.accepts(name):
                build(name, plugins=self.in_use())
        except PluginError as error:
            self.fail(f"{error}", f"Of {name} with {content[:20]!r}, raise graphacct.ReadError, which says the fault.")
        except GraphacctError as error:
            if os.path.basename(name) not in str(error):
                self.fail(f"of {name} with {content[:20]!r} it says {str(error)!r}", "The error must name the file.")
        except Exception as error:
            self.fail(
                f"{name} with {content[:20]!r} raises {type(error).__name__}: {error}",
                "Raise graphacct.ReadError, which names the file and the fault.",
            )

    def _read(self, model: str) -> None:
        reader, operators = self.thing(), self.in_use().operators
        if reader.read is not None:
            reader.read(model, operators)
        else:
            reader.find(model, self.in_use(), *([{}] if reader.takes_overrides else []))

    def _declines(self, strange: Any, what: str) -> None:
        try:
            accepted = self.thing().accepts(strange)
        except Exception as error:
            self.fail(f"accepts({what}) raises {type(error).__name__}: {error}", "It returns False for what it is not.")
        if accepted is not False and not any(strange is other for other in self.also_accepts):
            self.fail(f"accepts({what}) returns {accepted!r}", "It returns False, or list it in also_accepts.")

    def test_rows_state_the_totals(self) -> None:
        """Each row's figures are the report's."""
        with self._written():
            super().test_rows_state_the_totals()

    def _written(self) -> _Folder:
        return _Folder(self.files)


@contextmanager
def _opened(folder: str) -> Iterator[list[str]]:
    """Gives the names of the files of a folder that are opened inside, each time."""
    found: list[str] = []
    listening = [True]

    def listen(event: str, arguments: tuple[Any, ...]) -> None:
        if listening and event == "open" and isinstance(arguments[0], str):
            path = os.path.abspath(arguments[0])
            if os.path.dirname(path) == os.path.realpath(folder):
                found.append(os.path.basename(path))

    sys.addaudithook(listen)  # it cannot be taken away
    try:
        yield found
    finally:
        listening.clear()


class _Folder:
    """A folder of its own with some files, and the current one meanwhile."""

    def __init__(self, files: Mapping[str, str | bytes]) -> None:
        self._files = files

    def __enter__(self) -> str:
        self._home = os.getcwd()
        self._made = tempfile.TemporaryDirectory()
        os.chdir(self._made.name)
        for name, content in self._files.items():
            with open(name, "wb") as file:
                file.write(content if isinstance(content, bytes) else content.encode())
        return self._made.name

    def __exit__(self, *_: object) -> None:
        os.chdir(self._home)
        self._made.cleanup()
