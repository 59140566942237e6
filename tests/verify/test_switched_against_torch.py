"""Random small configurations of Switch Transformers, whose routers are made to choose every expert as often: the real
models and graphacct agree."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
import transformers
from comparison import accounted, same_parameters
from measure import flops_of
from random_encoders import some, yes
from test_random_encoders_against_torch import SEEDS
from transformers.models.switch_transformers import modeling_switch_transformers
from truth import train_step

CLASSES = tuple(f"SwitchTransformers{end}" for end in ("ForConditionalGeneration", "Model", "EncoderModel"))


def switch(random: Random) -> dict[str, Any]:
    decoder = some(random, num_decoder_layers=random.choice((None, 1, 3)))
    return {
        **{"vocab_size": 40, "d_model": 8, "num_heads": random.randint(1, 3), "d_kv": random.choice((4, 6))},
        **{"d_ff": random.randint(5, 20), "num_layers": random.randint(1, 5), "num_experts": random.randint(2, 4)},
        **{"num_sparse_encoder_layers": random.randint(0, 1), "num_sparse_decoder_layers": random.randint(0, 1)},
        **{"expert_capacity": random.choice((64, 2)), "dense_act_fn": random.choice(("relu", "gelu"))},
        **some(random, router_bias=True, router_jitter_noise=0.0, tie_word_embeddings=yes(random)),
        **decoder,
        **some(random, encoder_sparse_step=random.randint(1, 3), dropout_rate=0.0),
    }


@pytest.fixture(autouse=True)
def every_expert_as_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first expert takes the first token, the second the next, and so on, across the sequences of a batch."""
    original = modeling_switch_transformers.SwitchTransformersTop1Router.forward

    def forward(self: Any, hidden_states: torch.Tensor) -> Any:
        chosen, shares, logits = original(self, hidden_states)
        batch, seq, count = chosen.shape
        ids = torch.arange(batch * seq).reshape(batch, seq) % count
        chosen = torch.nn.functional.one_hot(ids, num_classes=count)
        return chosen * (torch.cumsum(chosen, dim=-2) <= self.expert_capacity), shares, logits

    monkeypatch.setattr(modeling_switch_transformers.SwitchTransformersTop1Router, "forward", forward)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", CLASSES)
def test_every_class(name: str, seed: int, tmp_path: Path) -> None:
    """Tensors by name and shape; FLOPs forward by module, of a training step, and with fused attention."""
    random = Random(f"{name} {seed}")
    content = {"model_type": "switch_transformers", "architectures": [name], **switch(random)}
    print(json.dumps(content))
    (tmp_path / "config.json").write_text(json.dumps(content))
    config = transformers.AutoConfig.from_pretrained(tmp_path)
    model = getattr(transformers, name)._from_config(config, attn_implementation="eager").eval()
    sizes = {"batch": random.randint(1, 2), "encoder_seq_len": random.randint(4, 12), "seq_len": random.randint(3, 9)}
    inputs: dict[str, Any] = {"input_ids": torch.zeros((sizes["batch"], sizes["encoder_seq_len"]), dtype=torch.long)}
    if name != CLASSES[-1]:
        inputs["decoder_input_ids"] = torch.zeros((sizes["batch"], sizes["seq_len"]), dtype=torch.long)
        inputs["use_cache"] = False
    found = accounted(tmp_path, **sizes, attention="eager")
    same_parameters(found, model)
    measured = flops_of(model, lambda: model(**inputs))
    assert found.total["matmul_flops"] == measured["total"]
    ours = {row.path: row.values["matmul_flops"] for row in found.by_scope}
    theirs = {path: figures[0] for path, figures in measured["by_module"].items() if path in ours}
    assert {path: ours[path] for path in theirs if path != "(root)"} == theirs
    assert accounted(tmp_path, **sizes, attention="fused").total["matmul_flops"] == measured["total"]
    step = accounted(tmp_path, **sizes, attention="eager", phase="train", loss="sum")
    assert step.total["step_matmul_flops"] == train_step(model, inputs)["total"]
