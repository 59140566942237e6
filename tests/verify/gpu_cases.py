"""The training steps that tests/verify/cuda.py measures: which model, how large, how it runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
GOLDENS = REPOSITORY / "tests" / "goldens" / "activations"
PRESETS = REPOSITORY / "plugins" / "graphacct-architectures" / "graphacct_architectures" / "decoders" / "presets"
SOURCE = 24
"""Tokens of T5's encoder."""
AUTOCAST = "autocast"
MODES = ("bfloat16", "float32", AUTOCAST)
"""The dtype of the model, or float32 under torch.autocast with bfloat16."""
COMPOSED, ONE_KERNEL = "composed", "one kernel"
"""RMSNorm as the transformers library writes it, or torch.nn.RMSNorm in its place."""
DROPOUT = {"gpt2": ("attn_pdrop", "resid_pdrop", "embd_pdrop"), "t5": ("dropout_rate",)}
"""The keys of dropout; the other models are measured without."""
TINY_GPT2 = {"vocab_size": 512, "n_positions": 128, "n_embd": 64, "n_layer": 2, "n_head": 4}


@dataclass(frozen=True)
class Case:
    """One training step.

    Attributes:
        model: A model of `config`.
        mode: One of MODES.
        attention: `eager`; `fused`, with the kernel that torch chooses; `flash`, fused without cuDNN's kernel.
        norms: COMPOSED or ONE_KERNEL; empty for a model without RMSNorm.
        dropout: The probability of every dropout.
        checkpointing: Whether each layer runs again in the backward pass.
        loss: `sum` of the logits, or the model's own `cross_entropy`.
        batch: Sequences.
        seq_len: Tokens of each; of the decoder's, if there is an encoder.
    """

    model: str
    mode: str
    attention: str
    norms: str = ""
    dropout: float = 0.0
    checkpointing: bool = False
    loss: str = "sum"
    batch: int = 2
    seq_len: int = 48

    @property
    def title(self) -> str:
        parts = [self.model, self.mode, self.attention, self.loss]
        parts += [f"norms {self.norms}"] * bool(self.norms)
        parts += [f"dropout {self.dropout}"] * bool(self.dropout) + ["checkpointed"] * self.checkpointing
        return ", ".join(parts)

    def config(self) -> dict[str, Any]:
        """The content of the config.json that torch's model and graphacct's are both built from."""
        if self.model.startswith("llama-3-8b"):
            content = json.loads((PRESETS / "llama" / "llama-3-8b.json").read_text())
            content |= {"architectures": ["LlamaForCausalLM"], "num_hidden_layers": 1}
            if self.model == "llama-3-8b-layer":
                content["vocab_size"] = 512  # the layer's own tensors decide, not the head's
        elif self.model.startswith("gpt2"):
            content = {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_layer": 2}
            content |= TINY_GPT2 if self.model == "gpt2" else {}
            content |= {"bos_token_id": 0, "eos_token_id": 0}  # the defaults are beyond the tiny vocabulary
        else:
            content = json.loads((GOLDENS / self.model / "config.json").read_text())
        return {**content, **dict.fromkeys(DROPOUT.get(content["model_type"], ()), self.dropout)}


def kinds(model: str, mode: str, gpu: bool) -> Iterator[dict[str, Any]]:
    """The attentions and norms that a model has, and that graphacct has a profile for."""
    attentions = ("eager", "fused", "flash") if gpu and mode != "float32" else ("eager", "fused")
    norms = ("",) if model.startswith("gpt2") else (COMPOSED, ONE_KERNEL) if gpu else (COMPOSED,)
    for attention in attentions:
        for norm in norms:
            yield {"model": model, "mode": mode, "attention": attention, "norms": norm}


def cases(gpu: bool) -> Iterator[Case]:
    """The steps, those of real width first; on a CPU the tiny models alone."""
    if gpu:
        for kind in kinds("llama-3-8b-layer", "bfloat16", gpu):
            for again in (False, True):
                yield Case(**kind, batch=1, seq_len=2048, checkpointing=again)
        for norm in (COMPOSED, ONE_KERNEL):
            yield Case("llama-3-8b-layer", AUTOCAST, "fused", norm, batch=1, seq_len=2048)
        whole = {"attention": "fused", "norms": COMPOSED, "loss": "cross_entropy"}
        yield Case("llama-3-8b-vocabulary", "bfloat16", **whole, batch=1, seq_len=2048)
        for mode in MODES:
            for kind in kinds("gpt2-two-layers", mode, gpu):
                for p in (0.0, 0.1):
                    yield Case(**kind, dropout=p, seq_len=1024)
    for model in ("gpt2", "llama", "llama-grouped", "mixtral", "t5"):
        for mode in MODES:
            for kind in kinds(model, mode, gpu):
                yield Case(**kind)
                yield Case(**kind, loss="cross_entropy")
                yield Case(**kind, checkpointing=True)
                if model in DROPOUT:
                    yield Case(**kind, dropout=0.1)
