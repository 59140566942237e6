"""The cases: small modules with odd structure, and what torch 2.13 on a CPU does with them.

`cases/NAME/model.py` has the module's factory. `truth.json` was measured on a real run, without graphacct
(`measure_case.py` measures one so): FLOPs by torch's own counter, corrected where it does not see a kernel; saved bytes
by `saved_tensors_hooks`; peaks as the bytes of new storages alive after each operator. The loss is the sum of all float
outputs that carry a gradient.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "cases"
NAMES = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())


def factory(name: str) -> Any:
    """What a case's factory makes: the module, its positional and its keyword inputs."""
    from graphacct_torch.building.build import without_weights

    spec = importlib.util.spec_from_file_location(f"case_{name}", FOLDER / name / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with without_weights():
        return module.factory()


def truth(name: str) -> dict[str, Any]:
    """What was measured of a case."""
    found: dict[str, Any] = json.loads((FOLDER / name / "truth.json").read_text())
    return found
