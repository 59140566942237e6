"""Small configurations of further families that read texts, drawn at random as files have them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from random_encoders import ACTS, LENGTH, TASKS, like_bert, some, yes


def trocr(random: Random) -> dict[str, Any]:
    heads = random.randint(1, 3)
    return {
        **{"vocab_size": 40, "d_model": 4 * heads, "decoder_attention_heads": heads, "decoder_layers": 2},
        **{"decoder_ffn_dim": random.randint(5, 30), "max_position_embeddings": LENGTH + 2},
        **some(random, use_learned_position_embeddings=yes(random), layernorm_embedding=yes(random)),
        **some(random, cross_attention_hidden_size=7, activation_function=random.choice(ACTS), scale_embedding=True),
        **some(random, tie_word_embeddings=yes(random), pad_token_id=random.randint(0, 2)),
    }


def rotary(random: Random) -> dict[str, Any]:
    return {**like_bert(random), "is_decoder": False}


def eurobert(random: Random) -> dict[str, Any]:
    heads = random.choice((2, 4))
    return {
        **{"vocab_size": 40, "hidden_size": 4 * heads, "num_attention_heads": heads, "num_hidden_layers": 2},
        **{"intermediate_size": random.randint(5, 30), "hidden_act": random.choice(ACTS)},
        **{"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "mask_token_id": 3},
        **some(random, num_key_value_heads=2, head_dim=6, attention_bias=yes(random), mlp_bias=yes(random)),
        **some(random, tie_word_embeddings=yes(random), classifier_pooling=random.choice(("late", "bos", "mean"))),
    }


def classes(stem: str, *tasks: str) -> tuple[str, ...]:
    return (f"{stem}Model", f"{stem}ForMaskedLM", *(f"{stem}For{task}" for task in tasks))


CLASSES: dict[str, tuple[str, ...]] = {
    "trocr": ("TrOCRForCausalLM",),
    "eurobert": classes("EuroBert", *TASKS[:2]),
    "layoutlm": classes("LayoutLM", *TASKS[:3]),
    "nomic_bert": classes("NomicBert", *TASKS[:2]),
    "gte": classes("Gte", *TASKS[:2]),
    "jina_embeddings_v3": classes("JinaEmbeddingsV3", *TASKS[:3]),
}
DRAW: dict[str, Callable[[Random], dict[str, Any]]] = {
    "trocr": trocr,
    "eurobert": eurobert,
    **dict.fromkeys(("layoutlm", "nomic_bert", "gte", "jina_embeddings_v3"), rotary),
}
