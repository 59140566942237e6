"""The CUDA profiles against a GPU: `python tests/verify/cuda.py OUT.json`, and `--help` for more.

Measures training steps (gpu_cases.py) with torch and the transformers library, as installed, and prints each figure
beside graphacct's. It needs no test framework and no installed graphacct: the repository, plugins/graphacct-operators
and plugins/graphacct-architectures on PYTHONPATH do. `--device cpu` measures the tiny models under the CPU's profiles,
by storages alone: it shows that the script works, and what differs with the versions and not with the GPU.

- `saved`: storages that autograd saves, each once; parameters and inputs are none.
- `forward_storages`, `step_storages`: the most bytes of storages alive after an operator, as the CPU's goldens have it.
- `held`: the allocator's requested bytes between the forward and the backward pass, without the loss.
- `forward_peak`, `step_peak`: the peak of the allocator's requested bytes. Temporaries inside kernels count, which
  graphacct leaves out (docs/memory.md): a positive difference here alone, with equal storages, is one of those.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import gzip
import json
import os
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

# cublasLt's workspace is then cublas's own, which stays, and no temporary of each product
os.environ.setdefault("TORCH_CUBLASLT_UNIFIED_WORKSPACE", "1")
if __name__ == "__main__":
    HERE = sys.path.pop(0)
    with contextlib.suppress(ImportError):
        import cuda  # noqa: F401  NVIDIA's package of this file's name, which torch may import, must be found before it
    sys.path.insert(0, HERE)

import torch
import transformers
from gpu_cases import AUTOCAST, COMPOSED, Case, cases
from gpu_expected import expected, loaded_plugins, profile_of
from gpu_measure import measure

FIGURES = ("saved", "held", "forward_storages", "step_storages", "forward_peak", "step_peak")


def versions(device: str) -> dict[str, Any]:
    found = {"torch": torch.__version__, "transformers": transformers.__version__, "device": device}
    if device == "cuda":
        found |= {"gpu": torch.cuda.get_device_name(), "cuda": torch.version.cuda}
        found |= {"cudnn": torch.backends.cudnn.version(), "capability": torch.cuda.get_device_capability()}
    return found


def compared(case: Case, device: str, plugins: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A case's figures, measured and ours, and the details of what differs; an error in their place if there is one."""
    row: dict[str, Any] = {"case": case.title, **asdict(case), "profile": profile_of(case, device)}
    if case.norms == COMPOSED and case.mode == AUTOCAST and device == "cuda":
        row["note"] = "no profile of autocast has composed norms"
    details: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config.json").write_text(json.dumps(case.config()))
        for what, run in (
            ("ours", lambda: expected(case, folder, device, plugins)),
            ("measured", lambda: measure(case, folder, device)),
        ):
            try:
                row[what], details[what] = run()
            except Exception as error:  # one case that fails must not stop the rest
                row[f"{what}_error"] = f"{type(error).__name__}: {error}"[:500]
                details[f"{what}_traceback"] = traceback.format_exc()[-3000:]
    if "measured" in row:
        row["attention_kernels"] = details["measured"]["attention_kernels"]
        if device == "cuda":  # by storages, and the allocator's with what the operator's kernels take for themselves
            operator, live, during = max(details["measured"]["operators"], key=lambda item: item[2])
            row["highest_operator"] = {"operator": operator, "live_after": live, "requested_during": during}
    if "ours" in row and "measured" in row:
        row["difference"] = {key: row["measured"][key] - row["ours"][key] for key in row["measured"]}
        if row["difference"]["saved"]:
            row["saved_differs"] = saved_differences(details)
    return row, details


def saved_differences(details: dict[str, Any]) -> dict[str, list[Any]]:
    """The saved storages that one side alone has: bytes, dtype and how many, with the shapes or nodes."""
    measured: Counter[tuple[int, str]] = Counter()
    ours: Counter[tuple[int, str]] = Counter()
    named: dict[tuple[int, str], set[str]] = {}
    for size, dtype, shape in details["measured"]["saved_storages"]:
        measured[size, dtype] += 1
        named.setdefault((size, dtype), set()).add(str(shape))
    for size, dtype, shape, count, node in details["ours"]["saved_storages"]:
        ours[size, dtype] += count
        named.setdefault((size, dtype), set()).add(f"{node} {shape}")
    return {
        side: [[*key, count, sorted(named[key])] for key, count in left.items()]
        for side, left in (("measured_alone", measured - ours), ("ours_alone", ours - measured))
    }


def line(row: dict[str, Any]) -> str:
    """A case's row of the table: each measured figure, with what it is above ours."""
    if "difference" not in row:
        return "\n".join(f"{key}: {row[key]}" for key in ("ours_error", "measured_error") if key in row)
    cells = []
    for key in FIGURES:
        if key in row["measured"]:
            off = row["difference"][key]
            share = f" {off / row['ours'][key]:+.2%}" if off and row["ours"][key] else ""
            cells.append(f"{row['measured'][key]:,} ({f'{off:+,}{share}' if off else '='})")
    return " | ".join(cells)


def summary(rows: list[dict[str, Any]]) -> str:
    """How many cases are equal in each figure, and how many could not be compared."""
    done = [row["difference"] for row in rows if "difference" in row]
    parts = [
        f"{key}: {sum(not row[key] for row in done)} of {len(done)} equal" for key in FIGURES if done and key in done[0]
    ]
    return "; ".join([*parts, f"{len(rows) - len(done)} not compared"])


def written(path: Path, report: dict[str, Any], details: dict[str, Any]) -> None:
    """Write the figures to `path`, and the details of what differs to a second file beside it."""
    path.write_text(json.dumps(report, indent=1) + "\n")
    with gzip.open(path.with_suffix(".details.json.gz"), "wt") as file:
        json.dump(details, file)


def models_imported(gpu: bool) -> None:
    """Import the models' code, and have Python's garbage collector, which runs often here, pass over all of it."""
    for architecture in {case.config()["architectures"][0] for case in cases(gpu)}:
        getattr(transformers, architecture)
    gc.collect()
    gc.freeze()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="the JSON file to write; OUT.details.json.gz goes beside it")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--seconds", type=float, default=300, help="after which no case is begun")
    parser.add_argument("--only", default="", help="the cases alone whose title has this text")
    asked = parser.parse_args()
    head, plugins, began = versions(asked.device), loaded_plugins(), time.monotonic()
    print(json.dumps(head), flush=True)
    shown = FIGURES if asked.device == "cuda" else [key for key in FIGURES if key == "saved" or "storages" in key]
    print("measured (what it is above graphacct's):", " | ".join(shown), flush=True)
    rows: list[dict[str, Any]] = []
    details: dict[str, Any] = {}
    left_out: list[str] = []
    models_imported(asked.device == "cuda")
    try:
        for case in cases(asked.device == "cuda"):
            if asked.only not in case.title:
                continue
            if time.monotonic() - began > asked.seconds:
                left_out.append(case.title)
                continue
            row, more = compared(case, asked.device, plugins)
            rows.append(row)
            kernels = ", ".join(row.get("attention_kernels", ()))
            print(f"{case.title}{f' [{kernels}]' if kernels else ''}\n    {line(row)}", flush=True)
            if any(row.get("difference", {"none": 1}).values()):
                details[case.title] = more
            if asked.device == "cuda":
                torch.cuda.empty_cache()
    finally:
        print(f"{summary(rows)}; {len(left_out)} left out for time; {time.monotonic() - began:.0f} s")
        written(asked.out, {**head, "left_out": left_out, "cases": rows}, details)


if __name__ == "__main__":
    main()
