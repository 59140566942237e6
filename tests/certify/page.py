"""docs/certification.md from what was measured: `python page.py PRESETS.json COUNTERS.json PAGE.md`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import graphacct

TOP = """# Certification

Every preset against the real implementation: the transformers library's own class, built on the meta device
from the same
configuration, and torch's FLOP counter on it, attention written out, experts as one product for each pair of
token and
expert. Parameters count once per storage; FLOPs are those of products and convolutions, 2 per multiply-add, of one
sequence of the length given (or one image), forward, and of a training step with the sum of the first output
as its loss.

`make certify` measures and writes this page again; nothing on it is typed. A difference of 0 is 0 to the unit.

{models} configurations of {families} families: {equal} equal in all three figures{others}.

| model | class | length | parameters | forward FLOPs | FLOPs of a step | differences |
|---|---|---|---|---|---|---|
"""
MIDDLE = """
Not on this page: the families of the plugins graphacct-vision and graphacct-mamba, which are compared with the
library
and with torchvision in the plugins' own tests (torch's counter is wrong about grouped convolutions, and the
library runs
scans as loops over time); and the worksheet's model, which no library has ([The worksheet](worksheet.md)).

## What other counters say of the same work

One sequence of 128 tokens or one image of 224 × 224, the library's default attention, which is fused. Each
counter was run
as its own page shows. Those that count multiply-adds and call them FLOPs are doubled before they are compared.

| model | counter | it says | unit | ratio to ours | why |
|---|---|---|---|---|---|
"""
BOTTOM = """
What disagrees, by cause:

- **Fused attention is 0.** Every counter here leaves `scaled_dot_product_attention` out; fvcore warns, the
  others do not.
  GPT-2's is 603,979,776 FLOPs, 12 layers of 4 · 128² · 768: what torch's counter lacks, to the unit.
- **Only known modules count.** thop looks at modules that it knows: GPT-2's `Conv1D`, which is the library's
  own, is 0.
- **Parameters for work.** torchinfo takes the parameters of a linear layer once a sequence, whatever its
  length; GPT-2's
  `Conv1D` it takes for a convolution by its name, and its width for positions.
- **More than products.** ptflops, calflops, fvcore and thop add norms or activations, each at its own factor:
  all that
  remains in ResNet-50, which has no attention.
"""
MACS = {"fvcore", "ptflops", "thop", "torchinfo"}
"""Counters whose figure is multiply-adds."""


def rows(presets: Mapping[str, Any]) -> list[str]:
    """One line a model."""
    lines = []
    for name, row in presets.items():
        if "error" in row:
            lines.append(f"| `{name}` | | | | | | not measured: {row['error'][:120].replace('|', '/')} |")
            continue
        figures = [row[key] for key in ("params", "forward", "step")]
        differences = [ours - theirs for ours, theirs in figures]
        shown = " | ".join(f"{ours:,}" for ours, _ in figures)
        wrong = ", ".join(f"{difference:+,}" for difference in differences) if any(differences) else "0, 0, 0"
        lines.append(f"| `{name}` | {row['class']} | {row['size']} | {shown} | {wrong} |")
    return lines


def why(name: str, counter: str, ratio: float) -> str:
    """The cause of a disagreement in a word; the list below the table says more."""
    if abs(ratio - 1) < 5e-5:
        return "equal"
    if counter == "torchinfo" and name != "resnet-50":
        return "parameters for work"
    if counter == "thop" and name == "gpt2":
        return "its Conv1D layers and fused attention are 0"
    if ratio < 1:
        return "fused attention is 0"
    return "activations and norms are added"


def counters(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """One line for each model and counter."""
    lines = []
    for name, model in found.items():
        workload = {"seq_len": 128} if name in ("gpt2", "bert-base", "llama-3.2-1b") else {"image_size": 224}
        ours = graphacct.account(OURS[name], convention="matmul", **workload).total["flops"]
        lines.append(f"| {name} | **graphacct** | {ours:,} | FLOP | 1 | |")
        for counter, row in model.items():
            if "error" in row:
                lines.append(f"| {name} | {counter} | fails | | | {row['error'][:80].replace('|', '/')} |")
                continue
            macs = counter in MACS
            ratio = row["flops"] * (2 if macs else 1) / ours
            unit = "MAC" if macs else "FLOP"
            lines.append(
                f"| {name} | {counter} | {row['flops']:,} | {unit} | {ratio:.4f} | {why(name, counter, ratio)} |"
            )
    return lines


OURS = {
    "gpt2": "gpt2",
    "bert-base": "bert-base-uncased",
    "llama-3.2-1b": "llama-3.2-1b",
    "vit-base-patch16-224": "vit-base-patch16-224",
    "resnet-50": "resnet50",
}


def page(presets: Mapping[str, Any], found: Mapping[str, Mapping[str, Any]]) -> str:
    """The whole page."""
    measured = [row for row in presets.values() if "error" not in row]
    equal = sum(all(row[key][0] == row[key][1] for key in ("params", "forward", "step")) for row in measured)
    failed = len(presets) - equal
    head = TOP.format(
        models=len(presets),
        families=len({row["family"] for row in presets.values()}),
        equal=equal,
        others=f", {failed} with a remark" if failed else "",
    )
    return head + "\n".join(rows(presets)) + "\n" + MIDDLE + "\n".join(counters(found)) + "\n" + BOTTOM


if __name__ == "__main__":
    first, second = (json.loads(Path(name).read_text()) for name in sys.argv[1:3])
    Path(sys.argv[3]).write_text(page(first, second))
