"""Training steps of every family on a GPU: `python tests/verify/gpu_saved.py OUT.json`.

Measures what is saved, and the most bytes of storages alive in the forward pass and in the step, of every run that
tests/goldens/saved_activations.json has for a CPU: in float32 and bfloat16, with attention written out and fused
(without cuDNN's kernel, which keeps 8 bytes fewer). Beside each it prints what graphacct says under the profile
torch-eager-cuda-composed-norms. It needs what cuda.py needs. `--device cpu` shows that it works.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    HERE = sys.path.pop(0)
    with contextlib.suppress(ImportError):
        import cuda  # noqa: F401  NVIDIA's package of this file's name, which torch may import, must be found before it
    sys.path.insert(0, HERE)

import torch
import transformers
from activations import kept, peaks
from gpu_expected import loaded_plugins
from gpu_saved_expected import expected
from saved_activations import ready, summed
from saved_shapes import SHAPES, label, runs

FIGURES = ("saved", "forward_storages", "step_storages")


def differing(measured: list[tuple[int, str, list[int]]], ours: list[tuple[int, str, str]]) -> dict[str, Any]:
    """The saved storages that one side alone has: bytes and dtype, with a shape or a node."""
    theirs, mine = Counter(row[:2] for row in measured), Counter(row[:2] for row in ours)
    return {
        "measured_alone": [row for row in measured if row[:2] in theirs - mine][:6],
        "ours_alone": [row for row in ours if row[:2] in mine - theirs][:6],
    }


def measure(run: tuple[str, str, bool], name: str, device: str) -> tuple[tuple[int, ...], list[Any]]:
    """A run's figures, in the order of FIGURES, and the storages that it saves: bytes, dtype, the first shape."""
    with torch.device(device):
        model, given = ready(name, *run)
        rows = kept(model, given, summed)
        return (sum(size for size, *_ in rows), *peaks(model, given, summed)), rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="the JSON file to write")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--seconds", type=float, default=300, help="after which no shape is begun")
    parser.add_argument("--only", default="", help="the shapes alone whose name begins with this text")
    parser.add_argument("--after", default="", help="the shapes alone that stand after this one")
    asked = parser.parse_args()
    head = {"torch": torch.__version__, "transformers": transformers.__version__, "device": asked.device}
    if asked.device == "cuda":
        head |= {"gpu": torch.cuda.get_device_name(), "cuda": torch.version.cuda}
    plugins, began = loaded_plugins(), time.monotonic()
    print(json.dumps(head), flush=True)
    torch.backends.cuda.enable_cudnn_sdp(False)
    found: dict[str, dict[str, tuple[int, ...]]] = {}
    differences: dict[str, Any] = {}
    equal, total = [0] * len(FIGURES), 0
    try:
        names = list(SHAPES)
        for name in names[names.index(asked.after) + 1 if asked.after else 0 :]:
            if not name.startswith(asked.only) or time.monotonic() - began > asked.seconds:
                continue
            found[name] = {}
            with tempfile.TemporaryDirectory() as folder:
                ours = expected(name, [label(*run) for run in runs(name)], Path(folder), asked.device, plugins)
            for run in runs(name):
                title, said = label(*run), ours[label(*run)]
                try:
                    measured, rows = measure(run, name, asked.device)
                except Exception as error:  # one run that fails must not stop the rest
                    print(f"{name}, {title}: {type(error).__name__}: {str(error)[:300]}", flush=True)
                    continue
                found[name][title], total = measured, total + 1
                if isinstance(said, str):
                    print(f"{name}, {title}: measured {measured}, graphacct {said}", flush=True)
                    continue
                equal = [count + (one == two) for count, one, two in zip(equal, measured, said[0], strict=True)]
                if measured != said[0]:
                    above = [one - two for one, two in zip(measured, said[0], strict=True)]
                    print(f"{name}, {title}: measured {measured}, above graphacct's {above}", flush=True)
                    differences[f"{name}, {title}"] = differing(rows, said[1])
    finally:
        counts = "; ".join(f"{figure}: {count} equal" for figure, count in zip(FIGURES, equal, strict=True))
        print(f"{total} runs; {counts}; {time.monotonic() - began:.0f} s")
        asked.out.write_text(json.dumps({**head, "figures": FIGURES, "shapes": found}) + "\n")
        asked.out.with_suffix(".differences.json").write_text(json.dumps(differences, indent=1) + "\n")


if __name__ == "__main__":
    main()
