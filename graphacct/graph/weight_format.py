"""How parameters are stored: a format of weights as bytes per block of elements, and a parameter's matrices in it.

Everything is counted in whole bytes. A matrix has outputs (rows) and inputs (columns, along which a product sums), in
whichever order the parameter's shape has them.
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct.decisions import divides, less
from graphacct.dims import Dim, ceil_div, dim_text, is_array, is_symbol, prod
from graphacct.errors import ConfigError, brief
from graphacct.tensors import TensorSpec


def _count(tensor: StoredTensor, attribute: attrs.Attribute[int], value: object) -> None:
    if type(value) is not int or value < 0:
        raise ConfigError(f"{brief(tensor.name)} has {attribute.name}={brief(value)}, which is no count")


@attrs.frozen
class StoredTensor:
    """One of the tensors that a format stores for a matrix: so many bytes for each block of the matrix.

    Attributes:
        name: What the format's library calls it, such as `qweight` or `scales`.
        bytes: The bytes of one block.
        rows: The outputs of a block; 0 means all of them.
        columns: The inputs of a block; 0 means all of them.
        flat: Whether the block is `columns` elements in the order of memory, whatever the rows.
        padded: Whether a last block that is not full is stored as if it were. Otherwise it is an error.
    """

    name: str
    bytes: int = attrs.field(validator=_count)
    rows: int = attrs.field(default=1, validator=_count)
    columns: int = attrs.field(default=1, validator=_count)
    flat: bool = False
    padded: bool = False

    def of(self, rows: Dim, columns: Dim) -> Dim:
        """Returns its bytes for a matrix of `rows` outputs and `columns` inputs."""
        if self.flat:
            return self.bytes * _blocks(rows * columns, self.columns)
        return self.bytes * _blocks(rows, self.rows) * _blocks(columns, self.columns)

    def fits(self, rows: Dim, columns: Dim) -> str:
        """Returns what of a matrix is no whole number of blocks, as text; empty if all is. Of a symbol that is assumed,
        and recorded."""
        if self.padded:
            return ""
        if self.flat:
            return _remainder(rows * columns, self.columns, "elements")
        return _remainder(columns, self.columns, "inputs") or _remainder(rows, self.rows, "outputs")


def _blocks(size: Dim, block: int) -> Dim:
    """Returns how many blocks a size takes, a part of one counting as one."""
    if block == 0:
        return 1
    return size if block == 1 else ceil_div(size, block)


def _remainder(size: Dim, block: int, word: str) -> str:
    if block < 2 or (is_symbol(size) and divides(block, size)):
        return ""
    left: Any = size % block
    if not (bool(left.any()) if is_array(left) else left):
        return ""
    return f"{dim_text(size)} {word} are no whole number of blocks of {block}"


@attrs.frozen(repr=False)
class WeightFormat:
    """A format of weights.

    Attributes:
        name: As it is written: `gptq:4:group=128`.
        tensors: What it stores for each matrix.
        dtype: The dtype of a format that is nothing else, such as bfloat16, and stores every parameter; else empty.
        direct_rows: Products of so many rows or fewer read the stored form when no gradient is needed; those of more
            first write the matrix out in the dtype of the computation. None means that every product reads it directly.
        keeps_input: Whether a product in a training step keeps its operand, and has the matrix written out for the
            operand's gradient (LLM.int8).
        experts_alone: Whether its library stores experts so and nothing else, in a model that has any.
    """

    name: str
    tensors: tuple[StoredTensor, ...]
    dtype: str = ""
    direct_rows: int | None = None
    experts_alone: bool = False
    keeps_input: bool = False

    def __repr__(self) -> str:
        return f"<WeightFormat {self.name}>"

    def bytes(self, rows: Dim, columns: Dim) -> Dim:
        """Returns the bytes of a matrix of `rows` outputs and `columns` inputs.

        >>> WeightFormat("q4_0", (StoredTensor("blocks", 18, columns=32),)).bytes(10, 64)
        360
        """
        total: Dim = 0
        for tensor in self.tensors:
            total = total + tensor.of(rows, columns)
        return total


@attrs.frozen(repr=False)
class StoredWeight:
    """How one parameter is stored: as one or several matrices in a format.

    Attributes:
        format: The format.
        rows: The outputs of each matrix.
        columns: The inputs of each.
        matrices: How many there are: of experts one each.
        lookup: Whether the parameter is a table whose rows are looked up, so that no product reads it.
    """

    format: WeightFormat
    rows: Dim
    columns: Dim
    matrices: Dim = 1
    lookup: bool = False

    def __repr__(self) -> str:
        return f"<StoredWeight {self.format.name}>"

    @property
    def bytes(self) -> Dim:
        """The bytes of all matrices."""
        return self.format.bytes(self.rows, self.columns) * self.matrices

    @property
    def elements(self) -> Dim:
        """The elements of all matrices."""
        return self.rows * self.columns * self.matrices

    @property
    def fits(self) -> bool:
        """Whether each matrix is a whole number of blocks."""
        return not any(tensor.fits(self.rows, self.columns) for tensor in self.format.tensors)

    def part(self, elements: Dim) -> Dim:
        """Returns the bytes of some of the elements (rows that are looked up, experts that are chosen), rounded up."""
        return ceil_div(self.bytes * elements, self.elements)

    def written_out(self, x: TensorSpec) -> bool:
        """Returns whether the product with an operand of this spec reads a copy of the matrix in the dtype of the
        computation, which a kernel has written out before.

        Several rows are assumed of a symbol, and that is recorded; a sweep whose points differ raises ConfigError.
        """
        limit = self.format.direct_rows
        return limit is not None and not self.lookup and less(limit, prod(x.shape[:-1]))

    def check(self, name: str) -> StoredWeight:
        """Returns itself. Raises ConfigError, which names the parameter, if a matrix is no whole number of blocks."""
        for tensor in self.format.tensors:
            problem = tensor.fits(self.rows, self.columns)
            if problem:
                raise ConfigError(
                    f"parameter {name!r} cannot be stored as {self.format.name}: its {problem} ({tensor.name}); "
                    "another format, or a group that divides them, can store it"
                )
        return self
