"""docs/torchvision.md: torchvision's classifiers against the figures that are published with their weights.

`python classifiers.py PAGE.md` measures all and writes the page; `python classifiers.py - NAME ...` prints lines of it.
torchvision is read from the folder TORCHVISION in the environment, or as it is installed. Its compiled operators do not
load beside a build of torch that they were not made for, so their names are defined here; no classifier calls one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from graphacct_torch.building.build import without_weights

import graphacct

sys.path.append(os.environ.get("TORCHVISION", ""))
OPERATORS = torch.library.Library("torchvision", "FRAGMENT")
for name in ("nms", "qnms"):
    if not hasattr(torch.ops.torchvision, name):
        OPERATORS.define(f"{name}(Tensor boxes, Tensor scores, float threshold) -> Tensor")

import torchvision  # noqa: E402  after its operators

WITHOUT_HEADS = {"googlenet"}
"""Published without the auxiliary heads, which the class has by default."""
RANDOM = ("googlenet", "inception_v3")
"""Their constructors draw weights with scipy unless told not to."""
ROUNDING = 0.0005
"""Published GMACs have three digits after the point."""
TOP = """# torchvision's classifiers

The classifiers of torchvision {version}, each [captured](pytorch.md) from the library's own class, against the two
figures that torchvision publishes with its weights: `num_params`, and `_ops`, the multiply-adds of one image in units
of 10⁹ with three digits after the point. A classifier with weights for several sizes of images has a row for each size.

`make certify` measures and writes this page again; nothing on it is typed.

{summary}

| classifier | image | parameters | published | multiply-adds | published | remark |
|---|---|---|---|---|---|---|
"""
BOTTOM = """
¹ GoogLeNet was trained with two auxiliary classifiers, which run in training alone. Its class makes them by default
(`aux_logits=True`, 13,004,888 parameters), and it is published without them. Inception v3 is published with its own,
and its multiply-adds without, as evaluation does not run it.

² A vision transformer has a position for each patch, so its parameters depend on the size of the image. ViT-H
(`vit_h_14`) has 257 positions at 224 pixels, where its published weights are a linear head on a frozen backbone, and
1,370 at 518, where all of it was trained.
"""


def published(name: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yields the sizes of images that there are weights for, each with what is published of them."""
    seen = set()
    for weights in torchvision.models.get_model_weights(name):
        size = weights.transforms.keywords.get("crop_size") or 224
        if size not in seen:
            seen.add(size)
            yield size, weights.meta


def settings(name: str, size: int) -> dict[str, Any]:
    """Returns what the published model was built with."""
    given: dict[str, Any] = {"image_size": size} if name.startswith("vit_") else {}
    if name in WITHOUT_HEADS:
        given["aux_logits"] = False
    if name in RANDOM:
        given["init_weights"] = False
    return given


def measured(name: str) -> list[dict[str, Any]]:
    """Returns ours and the published figures of a classifier, for each size of images."""
    rows = []
    for size, meta in published(name):
        with without_weights():
            model = torchvision.models.get_model(name, weights=None, **settings(name, size)).eval()
            image = torch.zeros(1, 3, size, size)
        total = graphacct.account((model, (image,))).total
        figures = [total["params"], meta["num_params"], total["macs"], meta["_ops"]]
        rows.append({"name": name, "size": size, "figures": figures})
    return rows


def equal(row: Mapping[str, Any]) -> bool:
    """Returns whether the parameters are equal, and the multiply-adds to the published digits."""
    params, their_params, macs, their_macs = row["figures"]
    return bool(params == their_params and abs(macs / 10**9 - their_macs) <= ROUNDING + 1e-9)


def remark(row: Mapping[str, Any]) -> str:
    """Returns what the reader should know of a row."""
    notes = "¹" * (row["name"] in WITHOUT_HEADS) + "²" * (row["name"].startswith("vit_") and row["size"] != 224)
    return notes if equal(row) else f"**differs** {notes}".strip()


def line(row: Mapping[str, Any]) -> str:
    """Returns a line of the page's table."""
    params, their_params, macs, their_macs = row["figures"]
    shown = f"{params:,} | {their_params:,} | {macs:,} | {their_macs:.3f} G"
    return f"| `{row['name']}` | {row['size']} | {shown} | {remark(row)} |"


def page(rows: Iterable[Mapping[str, Any]]) -> str:
    """Returns the whole page."""
    rows = list(rows)
    names = {row["name"] for row in rows}
    right = sum(equal(row) for row in rows)
    summary = f"{len(names)} classifiers in {len(rows)} rows: {right} equal in both figures"
    summary += "." if right == len(rows) else f", {len(rows) - right} **not**."
    lines = map(line, rows)
    version = torchvision.__version__.partition("+")[0]
    return TOP.format(version=version, summary=summary) + "\n".join(lines) + "\n" + BOTTOM


if __name__ == "__main__":
    out, *names = sys.argv[1:]
    found = [row for name in names or torchvision.models.list_models(torchvision.models) for row in measured(name)]
    if out == "-":
        print(*map(line, found), sep="\n")
    else:
        Path(out).write_text(page(found))
