"""The contract of a translation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from graphacct.errors import GraphacctError
from graphacct.models.translation import Translation
from graphacct.testing.contract import Contract

STRANGE: tuple[Mapping[str, Any], ...] = ({}, {"a": 1}, {"model_type": "llama"}, {"tensors": {}}, {"": None})
"""Contents that a translation is asked about and must leave to others."""
FAMILY = "model_type"


class TranslationContract(Contract):
    """What holds for every translation. A subclass sets `translation` and `rows`, contents that it translates.

    Attributes:
        translation: The translation, or its name.
        rows: Contents of files that it translates.
    """

    kind = "translations"
    noun = "translation"
    translation: ClassVar[Translation | str]
    rows: ClassVar[Sequence[Mapping[str, Any]]] = ()

    def test_it_says_what_it_translates(self) -> None:
        """It has a sentence."""
        self.check_sentence()

    def test_it_leaves_others_alone(self) -> None:
        """It declines contents of another form without an exception: it is asked about every file."""
        for content in STRANGE:
            try:
                accepted = self.thing().accepts(content)
            except Exception as error:
                self.fail(f"accepts({content!r}) raised {type(error).__name__}: {error}", "Return False.")
            if accepted is not False:
                self.fail(f"accepts({content!r}) is {accepted!r}", "Return False for what is not of this form.")

    def test_it_says_its_rows_in_keys(self) -> None:
        """It accepts each row, and returns the keys of a config.json, a family's name among them."""
        for row in self.rows:
            if self.thing().accepts(row) is not True:
                self.fail(f"it does not accept {row!r}", "accepts(content) returns True for what it translates.")
            try:
                keys = self.thing().config(row)
            except GraphacctError as error:
                self.fail(f"config({row!r}) raised {error}", "Return the keys of a config.json.")
            if keys.get(FAMILY) not in self._families():
                self.fail(
                    f"config({row!r}) has the model_type {keys.get(FAMILY)!r}, which no family reads",
                    "Say the family by a model_type that `graphacct list` shows.",
                )

    def _families(self) -> set[str]:
        return {kind for item in self.in_use().architectures.values() for kind in item.model_types}
