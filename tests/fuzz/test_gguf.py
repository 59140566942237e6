"""GGUF headers with anything in them: the model, or an error that names the file."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from cases import cases, damage_bytes
from gguf_files import written

import graphacct

METADATA: dict[str, Any] = {
    "general.architecture": "llama",
    "general.alignment": 32,
    "llama.block_count": 1,
    "llama.embedding_length": 32,
    "llama.feed_forward_length": 32,
    "llama.attention.head_count": 1,
    "llama.rope.dimension_count": 32,
    "tokenizer.ggml.tokens": ["a", "b"],
}
LAYER = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
TENSORS: dict[str, Any] = {
    "token_embd.weight": ([32, 8], "q8_0"),
    **{f"blk.0.{name}.weight": ([32, 32], "q4_0") for name in LAYER},
    **{f"{name}.weight": ([32], "f32") for name in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm")},
}
VALUES: tuple[Any, ...] = (0, 1, 2, 3, 31, 2**31, 2**32 - 1, -1, 0.5, True, "", "llama", "é\n", [], [1], [1, 2], ["a"])
ARCHITECTURES = ("llama", "qwen2moe", "deepseek2", "falcon", "gemma2", "gpt2", "mamba", "gpt-oss", "stablelm", "x")


def test_damaged_bytes(quick: Path) -> None:
    """Whatever stands in the file."""
    file = quick / "damaged.gguf"

    def read_damaged(rng: random.Random) -> None:
        file.write_bytes(damage_bytes(rng, written(METADATA, TENSORS)))
        graphacct.account(file, batch=1, seq_len=2)

    cases("gguf", read_damaged)


def test_damaged_values(quick: Path) -> None:
    """Whatever its metadata say, of any architecture."""
    file = quick / "damaged.gguf"

    def read_damaged(rng: random.Random) -> None:
        name = rng.choice(ARCHITECTURES)
        metadata = {key.replace("llama", name): value for key, value in METADATA.items()}
        metadata["general.architecture"] = name
        for _ in range(rng.randrange(1, 3)):
            key = rng.choice(
                [
                    *metadata,
                    f"{name}.expert_count",
                    f"{name}.attention.key_length",
                    f"{name}.nextn_predict_layers",
                    "split.count",
                ]
            )
            metadata[key] = rng.choice(VALUES)
        tensors = {key: item for key, item in TENSORS.items() if rng.random() > 0.05}
        file.write_bytes(written(metadata, tensors))
        try:
            graphacct.account(file, batch=1, seq_len=2)
        except graphacct.GraphacctError as error:
            if "failed:" in str(error):
                raise RuntimeError(str(error)) from error
            raise

    cases("gguf-values", read_damaged)
