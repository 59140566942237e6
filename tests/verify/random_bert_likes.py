"""Small configurations of encoders that vary BERT's layers, drawn at random as files have them."""

from __future__ import annotations

from random import Random
from typing import Any

from random_encoders import TASKS, like_bert, some, yes

PLAIN = TASKS[:-1]
OF_XLM = ("SequenceClassification", "TokenClassification", "QuestionAnsweringSimple", "MultipleChoice")
BOTH = ("MaskedLM", "PreTraining", "NextSentencePrediction")


def classes(stem: str, *tasks: str) -> tuple[str, ...]:
    return (f"{stem}Model", *(f"{stem}For{task}" for task in tasks))


CLASSES: dict[str, tuple[str, ...]] = {
    "esm": classes("Esm", "MaskedLM", *TASKS[:2]),
    "megatron-bert": classes("MegatronBert", "CausalLM", *BOTH, *PLAIN),
    "roc_bert": classes("RoCBert", "CausalLM", "MaskedLM", "PreTraining", *PLAIN),
    "markuplm": classes("MarkupLM", *PLAIN),
    "splinter": classes("Splinter", "QuestionAnswering"),
    "fnet": classes("FNet", *BOTH, *PLAIN),
    "squeezebert": classes("SqueezeBert", "MaskedLM", *PLAIN),
    "mobilebert": classes("MobileBert", *BOTH, *PLAIN),
    "roformer": classes("RoFormer", "CausalLM", "MaskedLM", *PLAIN),
    "convbert": classes("ConvBert", "MaskedLM", *PLAIN),
    "lilt": classes("Lilt", *PLAIN),
    "canine": classes("Canine", *TASKS),
    "funnel": ("FunnelBaseModel", *classes("Funnel", "PreTraining", "MaskedLM", *TASKS)),
    "doge": ("DogeForCausalLM", "DogeModel", "DogeForSequenceClassification"),
    "tapas": classes("Tapas", "MaskedLM", "QuestionAnswering", "SequenceClassification"),
    **{
        kind: (f"{stem}Model", f"{stem}WithLMHeadModel", *(f"{stem}For{task}" for task in OF_XLM))
        for kind, stem in (("xlm", "XLM"), ("flaubert", "Flaubert"))
    },
}


def wide(random: Random) -> dict[str, Any]:
    """BERT's keys, of a float32 model alone."""
    return {key: value for key, value in like_bert(random).items() if key not in ("dtype", "is_decoder")}


def esm(random: Random) -> dict[str, Any]:
    kind = random.choice(("rotary", "absolute"))
    own = some(random, emb_layer_norm_before=yes(random), token_dropout=yes(random))
    return {**like_bert(random), "pad_token_id": 1, "mask_token_id": 3, "position_embedding_type": kind, **own}


def roc_bert(random: Random) -> dict[str, Any]:
    own = some(random, enable_pronunciation=yes(random), enable_shape=yes(random), concat_input=yes(random))
    sizes = {"pronunciation_vocab_size": 8, "shape_vocab_size": 7}
    return {**like_bert(random), **sizes, "pronunciation_embed_dim": 5, "shape_embed_dim": 6, **own}


def markuplm(random: Random) -> dict[str, Any]:
    return {
        **wide(random),
        "pad_token_id": 1,
        "max_depth": random.randint(1, 4),
        **some(random, xpath_unit_hidden_size=3),
    }


def squeezebert(random: Random) -> dict[str, Any]:
    width = 4 * random.randint(1, 3)
    sizes = {"hidden_size": width, "embedding_size": width, "num_attention_heads": 2}
    own = some(random, q_groups=2, k_groups=1, post_attention_groups=2, intermediate_groups=2, output_groups=1)
    return {**wide(random), **sizes, "intermediate_size": 4 * random.randint(2, 6), **own}


def mobilebert(random: Random) -> dict[str, Any]:
    sizes = {"hidden_size": 24, "intra_bottleneck_size": 12, "num_attention_heads": random.choice((2, 3))}
    return {
        **wide(random),
        **sizes,
        "embedding_size": random.choice((8, 24)),
        **some(random, trigram_input=yes(random), num_feedforward_networks=random.randint(1, 4)),
        **some(random, use_bottleneck_attention=yes(random), use_bottleneck=yes(random)),
        **some(random, normalization_type=random.choice(("no_norm", "layer_norm")), classifier_activation=yes(random)),
    }


def roformer(random: Random) -> dict[str, Any]:
    return {**like_bert(random), **some(random, rotary_value=yes(random), embedding_size=6)}


def convbert(random: Random) -> dict[str, Any]:
    sizes = {"hidden_size": 24, "intermediate_size": 12, "num_attention_heads": random.choice((1, 2, 4))}
    own = some(random, conv_kernel_size=random.choice((3, 5)), num_groups=2, head_ratio=random.choice((1, 2, 4)))
    return {**wide(random), **sizes, "embedding_size": random.choice((8, 24)), **own}


def lilt(random: Random) -> dict[str, Any]:
    sizes = {"hidden_size": 12 * random.choice((1, 2)), "num_attention_heads": random.choice((1, 3))}
    return {**wide(random), **sizes, "channel_shrink_ratio": random.choice((2, 4))}


def canine(random: Random) -> dict[str, Any]:
    heads = random.randint(1, 3)
    own = {"downsampling_rate": random.choice((2, 3, 4)), "upsampling_kernel_size": random.choice((2, 3, 4))}
    hashes = {"num_hash_functions": random.choice((2, 4)), "num_hash_buckets": 20}
    sizes = {"hidden_size": 8 * heads, "num_attention_heads": heads, "local_transformer_stride": random.randint(3, 9)}
    return {**wide(random), **sizes, **own, **hashes}


def tapas(random: Random) -> dict[str, Any]:
    tables = random.choice(([3, 5, 5, 2, 4, 4, 3], [3, 256, 256, 2, 256, 256, 10]))
    return {**wide(random), "type_vocab_sizes": tables, "num_aggregation_labels": random.choice((0, 4))}


def funnel(random: Random) -> dict[str, Any]:
    blocks = [random.randint(1, 3) for _ in range(random.randint(1, 3))]
    sizes = {"vocab_size": 40, "d_model": 8, "n_head": random.choice((1, 2)), "d_head": random.choice((4, 6))}
    kinds = {
        "attention_type": random.choice(("relative_shift", "factorized")),
        "pooling_type": random.choice(("mean", "max")),
    }
    flags = {key: yes(random) for key in ("separate_cls", "truncate_seq", "pool_q_only")}
    repeats = {"block_repeats": [random.randint(1, 2) for _ in blocks]}
    own = some(random, hidden_act=random.choice(("relu", "gelu")), tie_word_embeddings=False, **repeats)
    return {
        **sizes,
        "d_inner": 12,
        "block_sizes": blocks,
        "num_decoder_layers": random.randint(1, 3),
        **kinds,
        **flags,
        **own,
    }


def doge(random: Random) -> dict[str, Any]:
    shared = random.randint(1, 2)
    heads = shared * random.randint(1, 2)
    experts = {"is_moe": True, "num_experts": random.choice((9, 16, 20)), "num_experts_per_tok": random.randint(1, 6)}
    return {
        **{"vocab_size": 40, "hidden_size": 8 * heads, "intermediate_size": random.randint(5, 30), "pad_token_id": 0},
        **{"num_hidden_layers": random.randint(1, 3), "num_attention_heads": heads, "max_position_embeddings": 64},
        **some(random, num_key_value_heads=shared, keep_window_size=4, tie_word_embeddings=True, head_dim=6),
        **some(random, attention_bias=True, mlp_bias=True),
        **random.choice(({}, experts)),
    }


def xlm(random: Random) -> dict[str, Any]:
    heads = random.randint(1, 3)
    own = some(random, gelu_activation=yes(random), causal=yes(random), n_langs=3, use_lang_emb=yes(random))
    summary = some(random, summary_type=random.choice(("first", "last", "mean")), summary_activation="tanh")
    sizes = {"emb_dim": 4 * heads, "n_heads": heads, "n_layers": random.randint(1, 3), "vocab_size": 40}
    return {**sizes, "max_position_embeddings": 16, **own, **summary, **some(random, tie_word_embeddings=False)}


def fnet(random: Random) -> dict[str, Any]:
    return {key: value for key, value in wide(random).items() if key != "num_attention_heads"}


DRAW = {
    **{"esm": esm, "roc_bert": roc_bert, "markuplm": markuplm, "splinter": wide},
    **{
        "megatron-bert": like_bert,
        "fnet": fnet,
        "squeezebert": squeezebert,
        "mobilebert": mobilebert,
        "roformer": roformer,
    },
    **{
        "convbert": convbert,
        "lilt": lilt,
        "canine": canine,
        "tapas": tapas,
        "funnel": funnel,
        "doge": doge,
        "xlm": xlm,
        "flaubert": xlm,
    },
}
