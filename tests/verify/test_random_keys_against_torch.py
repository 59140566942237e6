"""No key of a class is silently ignored: with any keys changed, the tensors are the library's, or the file is refused.

`EXAMPLES=random` draws others each time, `KINDS=llama,bert` looks at some types alone; a failure prints the file.
"""

from __future__ import annotations

import json
import os
from random import Random, randrange

import pytest
import torch
from comparison import same_parameters
from graphacct_torch.errors import CaptureError
from graphacct_torch.reading import library
from random_keys import drawn
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

import graphacct
from graphacct.hooks.manager import default

SEEDS = [randrange(2**32) for _ in range(1)] if os.environ.get("EXAMPLES") == "random" else range(1)
TYPES = sorted(
    kind
    for architecture in default().architectures.values()
    for kind in architecture.model_types
    if kind in CONFIG_MAPPING
)
KINDS = [kind for kind in os.environ.get("KINDS", "").split(",") if kind] or TYPES


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_key(kind: str, seed: int) -> None:
    content = drawn(kind, Random(f"{kind} {seed}"))
    print(json.dumps(content))
    try:
        model = built(content)
    except CaptureError as error:
        pytest.skip(f"the library refuses it: {error}")
    names = {"architectures": [type(model).__name__]}
    try:
        found = graphacct.account({**content, **names})
    except graphacct.GraphacctError as error:
        pytest.skip(f"refused: {error}")
    if found.config_keys.left_out:
        pytest.skip(f"left out: {', '.join(found.config_keys.left_out)}")
    same_parameters(found, model)


def built(content: dict[str, object]) -> torch.nn.Module:
    """The library's model, of the class that writes text if there is one."""
    config = library.config_of(content)
    if not getattr(config, "architectures", None):
        head = library.head_of(config.model_type)
        config.architectures = None if head is None else [head]
    return library.built(config)
