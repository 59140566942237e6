"""docs/certification.md from what was measured: `python page.py PRESETS.json COUNTERS.json PAGE.md`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from measure_presets import OWN_REPOSITORIES

import graphacct

TOP = """# Certification

This page compares every preset with the real implementation, as `graphacct verify MODEL --torch` does: the transformers
library's own class, built without weights from the same configuration and measured with torch's FLOP counter. Attention
is written out, and experts are one product for each pair of token and expert. Parameters count once per storage. FLOPs
are those of products and convolutions, 2 per multiply-add, of one sequence of the given length, one image, or
one sound of so many samples or frames: of a forward pass, and of a training step with the sum of the first output as
its loss.

`make certify` measures and writes this page again; nothing on it is typed. The differences are ours minus theirs, for
the three figures in turn; 0 means equal to the unit. Behind a row stand its parameters by name and its modules,
forward and step: a row without a remark has no difference in any of them.

{models} configurations of {families} families: {summary}.

| model | class | length | parameters | forward FLOPs | FLOPs of a step | differences | remark |
|---|---|---|---|---|---|---|---|
"""
MIDDLE = """
Three kinds of models are not on this page: torchvision's ResNets, which have a [page of their own](torchvision.md)
with its other classifiers; the worksheet's model, which is in no library ([The worksheet](worksheet.md)); and families
whose class stands in the models' own repositories, which this project never runs ({own}). Those are held to the
arithmetic of the repositories' shapes and to the totals that their pages print.

Classes that look at pixels, at buffers or at what they have made do not run without data (`blip-2`, `detr`, `encodec`,
`idefics2`, `idefics3`, `mimi`, `qwen3_omni_moe_thinker`, `smolvlm`, `vits`, `fastspeech2_conformer_with_hifigan`):
small ones are measured with random data instead.

## What other counters say of the same work

The input is one sequence of 128 tokens or one image of 224 × 224. Attention is the library's default, which is fused.
Each counter was run as its own documentation shows. Figures that are multiply-adds are doubled before they are
compared.

| model | counter | it says | unit | ratio to ours | why |
|---|---|---|---|---|---|
"""
GROUPS = """
A convolution in groups, as Mamba and ConvNeXt have it, is counted by a formula of ours in the backward pass: torch's
counter multiplies its weight gradient by the number of groups, because its formula takes all channels of x instead of
those of one group. Each of the two gradients has as many multiply-adds as the convolution itself, at 2 FLOPs each.

¹ The whole is equal. The class gives the weight of its module `conv1d` to a function, so that torch counts the
convolution in the module around it.
"""
BOTTOM = """
The causes of the differences:

- **Fused attention counts 0.** Every counter here leaves `scaled_dot_product_attention` out; fvcore warns, the others
  do not. GPT-2's is 603,979,776 FLOPs, 12 layers of 4 · 128² · 768. That is what torch's counter lacks, to the unit.
- **Only known modules count.** thop counts only modules that it knows. GPT-2's `Conv1D`, the library's own, is 0.
- **Parameters instead of work.** torchinfo counts the parameters of a linear layer once a sequence, whatever its
  length. It takes GPT-2's `Conv1D` for a convolution because of its name, and its width for positions.
- **More than products.** ptflops, calflops, fvcore and thop add norms or activations, each at its own factor. That is
  the whole difference for ResNet-50, which has no attention.
"""
FIGURES = ("params", "forward", "step")
MACS = {"fvcore", "ptflops", "thop", "torchinfo"}
"""Counters whose figure is multiply-adds."""


def rows(presets: Mapping[str, Any]) -> list[str]:
    """One line a model."""
    lines = []
    for name, row in presets.items():
        if "error" in row:
            lines.append(f"| `{name}` | | | | | | | not measured: {row['error'][:120].replace('|', '/')} |")
            continue
        shown = " | ".join(f"{row[figure][0]:,}" for figure in FIGURES)
        wrong = ", ".join(f"{difference:+,}" if difference else "0" for difference in differences(row))
        lines.append(f"| `{name}` | {row['class']} | {row['size']} | {shown} | {wrong} | {remark(row)} |")
    return lines


def differences(row: Mapping[str, Any]) -> list[int]:
    """Ours less theirs, figure by figure."""
    return [row[figure][0] - row[figure][1] for figure in FIGURES]


def remark(row: Mapping[str, Any]) -> str:
    """What differs; nothing where nothing does."""
    _, differing = row["parts"]
    if not any(differences(row)) and not differing:
        return ""
    if not any(differences(row)) and all(part.endswith(".conv1d") for part in differing):
        return "¹"
    return f"**not explained**: {', '.join(differing[:2]) or 'the whole'}"


def summary(presets: Mapping[str, Any]) -> str:
    """How many agree, and how many do not."""
    remarks = ["not measured" if "error" in row else remark(row) for row in presets.values()]
    kinds = ["not explained" if found.startswith("**") else found for found in remarks]
    parts = [f"{kinds.count('')} equal in all figures"]
    if "¹" in kinds:
        parts.append(f"{kinds.count('¹')} equal but for one module¹")
    parts += [f"{kinds.count(kind)} {kind}" for kind in ("not explained", "not measured") if kind in kinds]
    return ", ".join(parts)


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
    families = len({row["family"] for row in presets.values()})
    head = TOP.format(models=len(presets), families=families, summary=summary(presets))
    middle = MIDDLE.format(own=", ".join(f"`{name}`" for name in OWN_REPOSITORIES))
    return "\n".join((head + "\n".join(rows(presets)), GROUPS + middle + "\n".join(counters(found)), BOTTOM))


if __name__ == "__main__":
    first, second = (json.loads(Path(name).read_text()) for name in sys.argv[1:3])
    Path(sys.argv[3]).write_text(page(first, second))
