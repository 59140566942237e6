"""What tiny models of several classes keep up to the loss that they compute from labels themselves.

`python tests/verify/class_losses.py` measures the configurations of tests/goldens/class_losses.json on a CPU, and
writes the figures beside them.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import torch
import transformers
from activations import inputs, kept, model_of, peaks

GOLDEN = Path(__file__).parents[1] / "goldens" / "class_losses.json"
RUN = {"attention": "eager", "dropout": 0.0, "checkpointing": False, "batch": 2, "size": 24}


def targeted(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """What a model takes, with the targets of its class in place of one label for each token."""
    first = torch.zeros(RUN["batch"], dtype=torch.long)
    if name.endswith("ForQuestionAnswering"):
        return {key: value for key, value in given.items() if key != "labels"} | {
            "start_positions": first,
            "end_positions": first.clone(),
        }
    return given | {"next_sentence_label": first} if name == "BertForPreTraining" else given


def measure(config: dict[str, Any], dtype: str) -> dict[str, int]:
    """Bytes kept, and the peaks of the forward pass and of the whole step."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(config))
        run = {**RUN, "dtype": dtype}
        model = model_of(Path(folder), run)
        given = targeted(config["architectures"][0], inputs(model, run, labels=True))
        model(**given)  # what is imported at the first call is none of the model's
        saved = sum(size for size, *_ in kept(model, given, lambda output: output.loss))
        forward, step = peaks(model, given, lambda output: output.loss)
    return {"kept": saved, "forward_peak": forward, "step_peak": step}


if __name__ == "__main__":
    torch.set_num_threads(1)
    content = json.loads(GOLDEN.read_text())
    rows = [{**row, **measure(row["config"], row["dtype"])} for row in content["runs"]]
    lines = ",\n".join(f"  {json.dumps(row)}" for row in rows)
    versions = {"torch": torch.__version__, "transformers": transformers.__version__, "device": "cpu"}
    GOLDEN.write_text(f'{{{json.dumps(versions)[1:-1]},\n "runs": [\n{lines}\n]}}\n')
