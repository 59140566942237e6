"""BigBird's attention in blocks: each block of queries sees its neighbours, the first block, the last and random ones.

Zaheer et al., 2020 (arXiv:2007.14062), as the transformers library writes it out: the first and last blocks see all,
the second and the last but one are products of their own. Which blocks are drawn changes no cost. The library also
writes the weights into a matrix of all pairs of tokens, which nothing reads unless attentions are asked for: neither
that matrix nor the index of 24 bytes per block that it is written by is counted.
"""

from __future__ import annotations

from graphacct import Builder, Dim, Value, exact_div, frozen


@frozen(eq=False)
class Blocks:
    """Queries, keys or values in blocks.

    Attributes:
        b: The builder.
        name: What they are called.
        rows: All blocks, (batch, heads, blocks, size, d_head).
        drawn: Random blocks for each but the first and the last, (batch, heads, blocks - 2, rows, d_head).
    """

    b: Builder
    name: str
    rows: Value
    drawn: Value | None = None

    def one(self, index: int, label: str, drawn: bool = False) -> Value:
        """Returns one block (batch, heads, size, d_head), counted from the end if `index` is negative."""
        x = self.some(self._count(drawn) + index if index < 0 else index, 1, label, drawn)
        batch, heads, _, size, d_head = x.spec.shape
        return self.b.apply("reshape", x, name=f"{self.name}_{label}_rows", shape=(batch, heads, size, d_head))

    def some(self, start: Dim, length: Dim, label: str, drawn: bool = False) -> Value:
        """Returns blocks that follow each other."""
        source = self.drawn if drawn else self.rows
        assert source is not None
        return self.b.apply("slice", source, name=f"{self.name}_{label}", dim=2, start=start, length=length)

    def _count(self, drawn: bool) -> Dim:
        return self.rows.spec.shape[2] - (2 if drawn else 0)


def in_blocks(b: Builder, q: Value, k: Value, v: Value, size: Dim, drawn: Dim) -> Value:
    """Returns the values (batch, heads, seq, d_head) that queries weigh, in blocks of `size` tokens with `drawn` random
    blocks for each."""
    batch, heads, seq, d_head = q.spec.shape
    count = exact_div(seq, size, "seq_len / block_size")
    places = b.apply("full", name="rand_attn", shape=(batch, heads, (count - 2) * drawn, 1, 1), dtype="int64")
    whole = (batch, heads, (count - 2) * drawn, size, d_head)
    places = b.apply("expand", places, name="rand_index", shape=whole)

    def blocked(name: str, x: Value) -> Blocks:
        rows = b.apply("reshape", x, name=f"{name}_blocks", shape=(batch, heads, count, size, d_head))
        if name == "q":
            return Blocks(b, name, rows)
        read = b.apply("gather", rows, places, name=f"{name}_gathered", dim=2)
        shape = (batch, heads, count - 2, drawn * size, d_head)
        return Blocks(b, name, rows, b.apply("reshape", read, name=f"{name}_gathered_rows", shape=shape))

    queries, keys, values = (blocked(name, x) for name, x in (("q", q), ("k", k), ("v", v)))
    first = weighed(b, "first", queries.one(0, "first"), k, v)
    second = beside(b, "second", queries, keys, values, 1, (0, 1, 2, -1), 0)
    inner = middle(b, queries, keys, values, count)
    before = beside(b, "second_last", queries, keys, values, -2, (0, -3, -2, -1), -1)
    last = weighed(b, "last", queries.one(-1, "last"), k, v)
    ends = [
        b.apply("reshape", y, name=f"{label}_block", shape=(batch, heads, 1, size, d_head))
        for label, y in (("first", first), ("second", second), ("second_last", before), ("last", last))
    ]
    y = b.apply("concat", *ends[:2], inner, *ends[2:], name="all_blocks", dim=2)
    y = b.apply("reshape", y, name="blocks_in_row", shape=(batch, heads, seq, d_head))
    mask = b.apply("full", name="from_mask", shape=(batch, 1, seq, 1), dtype=q.spec.dtype)
    return b.apply("mul", y, mask, name="unpadded")


def weighed(b: Builder, label: str, q: Value, k: Value, v: Value) -> Value:
    """Returns the values that queries weigh by softmax of their scores with keys."""
    keys = b.apply("transpose", k, name=f"{label}_k_last", dims=(-2, -1))
    scores = b.apply("scale", b.apply("matmul", q, keys, name=f"{label}_scores"), name=f"{label}_scale")
    hidden = b.apply("full", name=f"{label}_mask", shape=(1, 1, 1, k.spec.shape[-2]), dtype=q.spec.dtype)
    weights = b.apply("softmax", b.apply("add", scores, hidden, name=f"{label}_masked"), name=f"{label}_softmax")
    return b.apply("matmul", weights, v, name=f"{label}_values")


def beside(
    b: Builder, label: str, q: Blocks, k: Blocks, v: Blocks, index: int, seen: tuple[int, ...], drawn: int
) -> Value:
    """Returns the values of the block beside the first or the last, which sees four blocks and its random ones."""
    sides = []
    for blocks in (k, v):
        parts = [blocks.one(place, f"{label}_{order}") for order, place in enumerate(seen)]
        parts.append(blocks.one(drawn, f"{label}_drawn", drawn=True))
        sides.append(b.apply("concat", *parts, name=f"{label}_{blocks.name}", dim=2))
    return weighed(b, label, q.one(index, label), sides[0], sides[1])


def middle(b: Builder, q: Blocks, k: Blocks, v: Blocks, count: Dim) -> Value:
    """Returns the values of all other blocks: each sees itself and its neighbours, random blocks, the first and the
    last."""
    inner = count - 4
    rows = q.some(2, inner, "middle")
    near, drawn = {}, {}
    for blocks in (k, v):
        parts = [blocks.some(start, inner, f"near_{start}") for start in (1, 2, 3)]
        near[blocks.name] = b.apply("concat", *parts, name=f"{blocks.name}_near", dim=3)
        drawn[blocks.name] = blocks.some(1, inner, "middle_drawn", drawn=True)
    ends = {(blocks.name, end): blocks.one(end, f"middle_{word}") for blocks in (k, v) for end, word in ENDS}

    def products(label: str, keys: Value) -> Value:
        columns = b.apply("transpose", keys, name=f"{label}_k_last", dims=(-2, -1))
        return b.apply("matmul", rows, columns, name=f"{label}_scores")

    def with_end(label: str, end: int) -> Value:
        return b.apply("einsum", rows, ends["k", end], name=f"{label}_scores", equation="bhlqd,bhkd->bhlqk")

    found = [with_end("start", 0), products("near", near["k"]), products("drawn", drawn["k"]), with_end("end", -1)]
    scaled = [b.apply("scale", part, name=f"middle_{order}_scale") for order, part in enumerate(found)]
    weights = b.apply("softmax", b.apply("concat", *scaled, name="middle_scores", dim=-1), name="middle_softmax")
    widths = tuple(part.spec.shape[-1] for part in found)
    first, close, random, last = b.apply("split", weights, name="middle_weights", sizes=widths)
    y = b.apply("matmul", close, near["v"], name="near_values")
    y = b.apply("add", y, b.apply("matmul", random, drawn["v"], name="drawn_values"), name="with_drawn")
    for label, part, end in (("start", first, 0), ("end", last, -1)):
        own = b.apply("einsum", part, ends["v", end], name=f"{label}_values", equation="bhlqk,bhkd->bhlqd")
        y = b.apply("add", y, own, name=f"with_{label}")
    return y


ENDS = ((0, "start"), (-1, "end"))
