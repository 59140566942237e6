"""Every preset, by ours and by the library's own class: `python measure_presets.py OUT.json`, and names for
those alone.

Each model is compared as `graphacct verify MODEL --torch` does it. What is found is written after each model; a model
that is there already is not measured again.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import graphacct
from graphacct.checkpoints.verify_class import ClassVerification
from graphacct.models.find import presets

SEQ_LEN, WITH_IMAGE, WITH_TILES = 128, 1024, 2048
FIGURES = ("params", "forward", "step")
OWN_REPOSITORIES = (
    "baichuan",
    "chatglm",
    "dots_ocr",
    "exaone",
    "internlm2",
    "internlm3",
    "kimi_vl",
    "mimo",
    "minicpm",
    "qwen",
)
"""Families whose class is in no library, but in the models' own repositories."""
SPOKEN = ("vits", "fastspeech2_conformer_with_hifigan")
"""Families whose class makes as many frames as it says that a text lasts."""
BY_DATA = ("blip-2", "detr", "encodec", "idefics2", "idefics3", "mimi", "qwen3_omni_moe_thinker", "smolvlm", *SPOKEN)
"""Families whose class looks at its images' pixels, its masks or at buffers, so that it does not run without data."""
TILED = ("llava_next",)
"""Families whose pictures have more than a thousand tokens each."""
DROPS_LAYERS = ("m2m_100", "speecht5")
"""Families of which published files drop whole layers in training."""
LEFT_OUT = ("transformer-lm", "resnet", *OWN_REPOSITORIES, *BY_DATA)
"""A model of this project's own, torchvision's, whose figures the plugin's tests have, and those of no library."""


def workload_of(name: str) -> dict[str, int]:
    """The size of a preset's image, its samples or frames, or the length of its sequence: 128 tokens, 1,024 with an
    image or a sound among them, 2,048 with tiles, or the model's own if it has fewer."""
    own = graphacct.account(name).workload
    if own.get("seq_len") is not None:
        tiled = presets()[name].name in TILED
        tokens = WITH_TILES if tiled else WITH_IMAGE if own.get("images") or own.get("audios") else SEQ_LEN
        return {"seq_len": min(tokens, int(own["seq_len"]))}
    for size in ("samples", "frames"):  # a second of sound, or what a model has positions for
        if own.get(size) is not None:
            return {size: int(own[size])}
    side = own["image_size"]
    return {"image_size": int(side[0] if isinstance(side, tuple) else side)}


def settings_of(family: str) -> dict[str, Any]:
    """Keys that are set for the comparison: layers that chance drops run in both."""
    return {"set": {"encoder_layerdrop": 0, "decoder_layerdrop": 0}} if family in DROPS_LAYERS else {}


def row_of(family: str, size: int, found: ClassVerification) -> dict[str, Any]:
    """What a comparison found: the totals of both, and how many parameters and modules were compared, and differ."""
    parts = [line for line in found.lines if line.path]
    totals = {line.what: [line.ours, line.theirs] for line in found.lines if not line.path}
    return {
        "family": family,
        "class": found.measured.name.rpartition(": ")[2],
        "size": size,
        **{figure: totals[figure] for figure in FIGURES},
        "parts": [[Counter(line.what for line in parts)[figure] for figure in FIGURES], differing(found)],
    }


def differing(found: ClassVerification) -> list[str]:
    """The parameters and modules whose figures differ."""
    return [f"{line.what} of {line.path}" for line in found.differences if line.path]


def main(out: Path, names: Sequence[str]) -> None:
    rows = json.loads(out.read_text()) if out.exists() else {}
    for name, architecture in presets().items():
        if architecture.name in LEFT_OUT or name not in architecture.presets or name in rows:
            continue
        if names and name not in names:
            continue
        try:
            workload = workload_of(name)
            found = graphacct.verify_class(name, **workload, **settings_of(architecture.name))
            rows[name] = row_of(architecture.name, *workload.values(), found)
        except Exception as error:
            rows[name] = {"family": architecture.name, "error": f"{type(error).__name__}: {error}"[:300]}
        row = rows[name]
        shown = row.get("error") or [*(row[figure][0] - row[figure][1] for figure in FIGURES), *row["parts"]]
        print(name, shown, flush=True)
        out.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
