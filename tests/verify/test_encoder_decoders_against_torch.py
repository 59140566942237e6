"""T5, BART and Whisper, measured again, now, on tiny models: what training keeps and a prefill leaves, to the byte."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers
from memory import saved_bytes
from runs import scheduled

from graphacct import memory
from graphacct.execution.saved_storages import saved_bytes as kept_bytes

T5 = {"vocab_size": 97, "d_model": 24, "d_kv": 6, "d_ff": 40, "num_heads": 4, "num_layers": 2, "num_decoder_layers": 3}
SIDES = {
    f"{side}_{key}": value
    for side, layers in (("encoder", 2), ("decoder", 3))
    for key, value in (("layers", layers), ("ffn_dim", 40), ("attention_heads", 4))
}
BART = {"vocab_size": 97, "max_position_embeddings": 64, "d_model": 24, **SIDES}
WHISPER = {
    **{"vocab_size": 97, "num_mel_bins": 8, "d_model": 24, "max_source_positions": 20, "max_target_positions": 64},
    **SIDES,
}
TOKENS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
GATED = {"feed_forward_proj": "gated-gelu"}
CASES = {
    "t5": ("t5", T5, ("dropout_rate",)),
    "t5-gated": ("t5", {**T5, **GATED}, ("dropout_rate",)),
    "bart": ("bart", BART, ("dropout", "attention_dropout", "activation_dropout")),
    "whisper": ("whisper", WHISPER, ("dropout", "attention_dropout", "activation_dropout")),
}
CLASSES = {"t5": "T5", "bart": "Bart", "whisper": "Whisper"}


class Both(torch.nn.Module):
    """A model that takes the decoder's ids alone: the encoder's input is made before the measurement."""

    def __init__(self, model: Any, given: dict[str, Any]) -> None:
        super().__init__()
        self.model, self.given = model, given

    def forward(self, ids: torch.Tensor) -> Any:
        return self.model(decoder_input_ids=ids, use_cache=False, **self.given)


def model_of(name: str, sizes: dict[str, Any], attention: str, batch: int) -> Both:
    """A tiny model with what its encoder is given: 11 tokens, or 40 frames."""
    kind = {"eager": "eager", "fused": "sdpa"}[attention]
    config = getattr(transformers, f"{CLASSES[name]}Config")(**sizes, **TOKENS, attn_implementation=kind)
    model = getattr(transformers, f"{CLASSES[name]}ForConditionalGeneration")(config)
    if name == "whisper":
        given: dict[str, Any] = {"input_features": torch.zeros(batch, 8, 40)}
    else:
        given = {"input_ids": torch.zeros((batch, 11), dtype=torch.long)}
    both = Both(model, given)
    both.register_buffer("encoder_input", next(iter(given.values())))
    return both


def lengths(name: str) -> dict[str, int]:
    """The encoder's tokens, where the workload says how many."""
    return {} if name == "whisper" else {"encoder_seq_len": 11}


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("drop", [0.0, 0.1])
@pytest.mark.parametrize("attention", ["eager", "fused"])
@pytest.mark.parametrize("case", CASES)
def test_training_keeps_what_torch_keeps(case: str, attention: str, drop: float, batch: int) -> None:
    """Activations of both stacks up to the logits, with encoder and decoder of different lengths."""
    name, sizes, probabilities = CASES[case]
    sizes = {**sizes, **dict.fromkeys(probabilities, drop)}
    both = model_of(name, sizes, attention, batch).train()
    measured = saved_bytes(both, torch.zeros((batch, 9), dtype=torch.long), lambda out: out.logits)
    options = {"attention": attention, "loss": "sum", "set": sizes, **lengths(name)}
    assert kept_bytes(scheduled(name, batch=batch, seq_len=9, **options)) == measured > 0


@pytest.mark.parametrize("attention", ["eager", "fused"])
@pytest.mark.parametrize("case", CASES)
def test_a_prefill_leaves_the_caches(case: str, attention: str) -> None:
    """The bytes of the library's two caches, of the decoder's tokens and of the encoder's positions."""
    name, sizes, _ = CASES[case]
    both = model_of(name, sizes, attention, 2).eval()
    with torch.no_grad():
        ids = torch.zeros((2, 9), dtype=torch.long)
        cache = both.model(decoder_input_ids=ids, use_cache=True, **both.given).past_key_values
    caches = (cache.self_attention_cache, cache.cross_attention_cache)
    measured = sum(part.nbytes for one in caches for layer in one.layers for part in (layer.keys, layer.values))
    found = memory(name, phase="prefill", batch=2, seq_len=9, attention=attention, set=sizes, **lengths(name))
    assert found.kv_cache_bytes == measured
