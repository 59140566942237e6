"""docs/torchvision.md is of the classifiers as they are captured now; `ALL=1` in the environment runs all of them.

They are measured in a process of their own: torchvision, once imported, changes what other libraries do.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "torchvision.md").read_text("utf-8")
TORCHVISION = ROOT / ".venv-verify" / "torchvision"
"""Where `make verify` puts it: beside the environment, whose other libraries must not find it."""
ONE_OF_EACH = (
    "alexnet convnext_tiny densenet121 efficientnet_b0 googlenet inception_v3 maxvit_t mnasnet0_5 mobilenet_v3_small "
    "regnet_y_400mf resnet18 shufflenet_v2_x0_5 squeezenet1_0 swin_t swin_v2_t vgg11 vit_b_16"
)


def test_the_page_has_todays_lines() -> None:
    """Parameters and multiply-adds, ours and the published ones, of one classifier of each family."""
    folder = os.environ.get("TORCHVISION", str(TORCHVISION))
    if not Path(folder).is_dir() and find_spec("torchvision") is None:
        pytest.skip("make verify installs torchvision")
    names = sorted({*re.findall(r"^\| `(\w+)`", PAGE, re.M)}) if os.environ.get("ALL") else ONE_OF_EACH.split()
    script = str(ROOT / "tests" / "certify" / "classifiers.py")
    done = subprocess.run(
        [sys.executable, script, "-", *names],
        env={**os.environ, "TORCHVISION": folder},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert {re.findall(r"`(\w+)`", line)[0] for line in lines} == set(names)
    assert [line for line in lines if line not in PAGE.splitlines()] == []
