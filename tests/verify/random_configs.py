"""Small configurations of the families of decoders, drawn at random as files have them.

Sizes divide as they have to; everything else that could change a number is drawn or left out. What is drawn is valid:
the transformers library builds every model.
"""

from __future__ import annotations

from random import Random
from typing import Any

import transformers
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.heads import CLASSES
from random_sparse import ALONE, SPARSE_FAMILIES
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

CAUSAL = {**MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, **ALONE}
"""The language model of each type, or the bare decoder where the library has no more."""
FAMILIES = (
    *("gpt2", "gpt_neo", "gpt_neox", "gptj", "codegen", "opt", "bloom", "falcon", "phi", "phi3", "llama", "mistral"),
    *("mixtral", "qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "gemma", "gemma2", "gemma3_text", "olmo2", "stablelm"),
    *("cohere", "granite", "starcoder2", "smollm3", "glm4", "nemotron", "gpt_oss", "deepseek_v2", "deepseek_v3"),
    *("olmo", "olmo3", "glm", "seed_oss", "exaone4", "cohere2", "ministral3", "ernie4_5", "arcee", "jais2", "nanochat"),
    *("hunyuan_v1_dense", "olmoe", "flex_olmo", "ernie4_5_moe", "granitemoe", "granitemoeshared", "phimoe", "glm4_moe"),
    *("glm4_moe_lite", "dots1", "hunyuan_v1_moe", "minimax_m2", "mellum", "cwm", "vaultgemma", "bitnet", "minicpm3"),
    *("youtu", "apertus", "afmoe", "mimo_v2_flash", "llama4_text", "gpt_bigcode", "mpt", "xglm", "biogpt"),
    *("persimmon", "solar_open", "exaone_moe", "axk1", "ministral", "hyperclovax", "hy_v3", "laguna"),
    *("cohere2_moe", "helium", "iquestcoder", "granite_swa", "granitemoe_swa"),
    *("gpt_neox_japanese", "gemma3n_text", "gemma4_text", "deepseek_v32", "glm_moe_dsa"),
    *SPARSE_FAMILIES,
)
ACTIVATION_KEYS = ("hidden_act", "hidden_activation", "activation_function", "activation")
UNCHANGED = ("is_decoder", "add_cross_attention", "output_router_logits", "use_cache", "return_dict", "slow_but_exact")
WINDOWS = (
    "mistral",
    "mixtral",
    "phi3",
    "starcoder2",
    "gpt_oss",
    "gemma2",
    "gemma3_text",
    "olmo3",
    "cohere2",
    "ministral3",
    "dots1",
    "mellum",
    "cwm",
    "vaultgemma",
)
FULL, SLIDING = "full_attention", "sliding_attention"
TEXT_STEMS = {
    "gemma3_text": "Gemma3Text",
    "gemma4_text": "Gemma4Text",
    "gemma3n_text": "Gemma3nText",
    "minimax_m3_vl_text": "MiniMaxM3VLText",
}
"""How the names of bare decoders begin, where the language model's name begins otherwise."""


def drawn(family: str, random: Random) -> dict[str, Any]:
    """The content of a config.json."""
    kind = CONFIG_MAPPING[family]
    defaults = kind().to_dict()
    heads, layers, width = 4 * random.randint(1, 2), random.randint(1, 5), 8 * random.randint(1, 2)
    content: dict[str, Any] = {"model_type": family, "vocab_size": random.choice((51, 64, 120)), "pad_token_id": 0}
    content |= {"bos_token_id": None, "eos_token_id": None, "max_position_embeddings": 64}
    content |= {"hidden_size": heads * width, "num_attention_heads": heads, "num_hidden_layers": layers}
    content |= {"num_key_value_heads": random.choice((1, 2, heads)), "intermediate_size": random.choice((20, 33))}
    content = {key: value for key, value in content.items() if hasattr(kind(), key)}
    content |= {key: random.random() < 0.5 for key, value in defaults.items() if switched(key, value, random)}
    content |= {key: random.choice(sorted(ACTIVATIONS)) for key in ACTIVATION_KEYS if key in defaults}
    content |= random.choice(({}, {"dtype": "bfloat16"}, {"torch_dtype": "float16"}, {"torch_dtype": "float32"}))
    content |= random.choice(({}, {"num_labels": 1}, {"id2label": {"0": "a", "1": "b", "2": "c"}}))
    content |= class_of(family, random)
    content |= FAMILY.get(family, nothing)(random, layers, heads, width)
    if family in WINDOWS:
        content |= {"sliding_window": random.choice((5, 20, 4096))}
    if (
        "rope_parameters" in defaults
        and family
        not in (
            "phi3",
            "gemma3_text",
            "gemma3n_text",
            "gemma4_text",
            "ministral3",
            "olmo3",
            "mellum",
            "phimoe",
            "mimo_v2_flash",
        )
        and "rope_parameters" not in content
    ):
        content |= random.choice(({}, {"rope_theta": 5000.0}, {"rope_scaling": {"type": "linear", "factor": 2.0}}))
    older = kind.attribute_map if random.random() < 0.5 else {}
    return {older.get(key, key): value for key, value in content.items()}


def switched(key: str, value: Any, random: Random) -> bool:
    """Whether a key is drawn as true or false."""
    return isinstance(value, bool) and key not in UNCHANGED and not key.startswith("is_") and random.random() < 0.5


def class_of(family: str, random: Random) -> dict[str, Any]:
    """One of the library's classes of a family, the language model more often than others, or none."""
    if random.random() < 0.2:
        return {}
    causal = CAUSAL[family]
    stem = causal.removesuffix("ForCausalLM").removesuffix("LMHeadModel")
    stem = TEXT_STEMS.get(family, stem)
    others = [f"{stem}{ending}" for ending in CLASSES if hasattr(transformers, f"{stem}{ending}")]
    return {"architectures": [random.choice([causal, *others])]}


def nothing(random: Random, layers: int, heads: int, width: int) -> dict[str, Any]:
    return {}


def turned(random: Random, *_: int) -> dict[str, Any]:
    share = random.choice((0.25, 0.5, 0.75, 1.0))
    settings = {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": share}
    return random.choice(({"partial_rotary_factor": share}, {"rope_parameters": settings}))


def gpt2(random: Random, *_: int) -> dict[str, Any]:
    return {"n_inner": random.choice((None, 30))}


def gpt_neo(random: Random, layers: int, heads: int, width: int) -> dict[str, Any]:
    kinds = [[random.choice(("global", "local"))] for _ in range(layers)]
    sizes = {"intermediate_size": random.choice((None, 30)), "window_size": random.choice((5, 20, 256))}
    return {"attention_types": [[kind, 1] for kind in kinds], **sizes}


def gptj(random: Random, layers: int, heads: int, width: int) -> dict[str, Any]:
    return {"rotary_dim": random.choice((2, 4, width)), "n_inner": random.choice((None, 30)), "rotary": True}


def opt(random: Random, layers: int, heads: int, width: int) -> dict[str, Any]:
    narrow = random.choice((heads * width, 12))
    return {"ffn_dim": 30, "word_embed_proj_dim": narrow, "_remove_final_layer_norm": random.random() < 0.5}


def falcon(random: Random, layers: int, heads: int, width: int) -> dict[str, Any]:
    sizes = {"ffn_hidden_size": random.choice((30, None))}
    if random.random() < 0.5:  # the new decoder reads nothing of the old one's switches
        norms = random.choice((None, 1, 2))
        new = {"new_decoder_architecture": True, "num_kv_heads": 2, "num_ln_in_parallel_attn": norms}
        return {**sizes, **new, "alibi": False, "parallel_attn": True}
    return {**sizes, "new_decoder_architecture": False}


def phi3(random: Random, layers: int, heads: int, width: int) -> dict[str, Any]:
    factors = [1.0] * (width // 2)
    scaling = {"type": "longrope", "long_factor": factors, "short_factor": factors}
    return random.choice(({}, {"original_max_position_embeddings": 32, "rope_scaling": scaling}))


def qwen(random: Random, layers: int, *_: int) -> dict[str, Any]:
    window = {"use_sliding_window": random.random() < 0.5, "sliding_window": random.choice((5, 20, 4096))}
    return {**window, "max_window_layers": random.choice((0, 1, 2, 28))}


def experts(random: Random, *_: int) -> dict[str, Any]:
    return {"num_experts": random.choice((3, 4, 8)), "num_experts_per_tok": random.choice((1, 2, 3))}


def sparse_qwen(random: Random, layers: int, heads: int, width: int) -> dict[str, Any]:
    mixed = {"decoder_sparse_step": random.choice((1, 1, 2, 3)), "mlp_only_layers": random.choice(([], [0], [0, 2]))}
    return {**qwen(random, layers), **experts(random), **mixed, "moe_intermediate_size": 9}


def qwen2_moe(random: Random, layers: int, heads: int, width: int) -> dict[str, Any]:
    return {**sparse_qwen(random, layers, heads, width), "shared_expert_intermediate_size": 12}


def kinds(random: Random, layers: int, *_: int) -> dict[str, Any]:
    return random.choice(({}, {"layer_types": [random.choice((FULL, SLIDING)) for _ in range(layers)]}))


def gemma(random: Random, *_: int) -> dict[str, Any]:
    return {"head_dim": random.choice((8, 12)), "use_bidirectional_attention": random.choice((None, True))}


def gemma2(random: Random, layers: int, heads: int, width: int) -> dict[str, Any]:
    caps = {
        "attn_logit_softcapping": random.choice((None, 50.0)),
        "final_logit_softcapping": random.choice((None, 30.0)),
    }
    pattern = {"sliding_window_pattern": random.choice((2, 3, 6))}
    return {**gemma(random), **kinds(random, layers), **caps, **pattern}


def smollm3(random: Random, layers: int, heads: int, width: int) -> dict[str, Any]:
    turns = random.choice(({}, {"no_rope_layers": [random.randint(0, 1) for _ in range(layers)]}))
    windows = {"sliding_window": random.choice((5, 20)), **kinds(random, layers)}
    return {**windows, **turns, "no_rope_layer_interval": random.choice((2, 3, 4))}


def stated_heads(random: Random, *_: int) -> dict[str, Any]:
    return {"head_dim": random.choice((8, 12))}


def glm4(random: Random, layers: int, heads: int, width: int) -> dict[str, Any]:
    return {"head_dim": 12, **turned(random)}


def deepseek(random: Random, layers: int, heads: int, width: int) -> dict[str, Any]:
    groups = random.choice((1, 2, 4))
    sizes = {"kv_lora_rank": 12, "q_lora_rank": random.choice((None, 10)), "qk_nope_head_dim": 6, "v_head_dim": 10}
    chosen = {"n_group": groups, "topk_group": random.randint(1, groups), "num_experts_per_tok": random.choice((1, 2))}
    routed = {"n_routed_experts": 3 * groups, "n_shared_experts": random.choice((1, 2)), "moe_intermediate_size": 9}
    method = {"topk_method": random.choice(("greedy", "group_limited_greedy")), "moe_layer_freq": 1}
    first = {"first_k_dense_replace": random.randint(0, layers), "num_key_value_heads": heads, "qk_rope_head_dim": 4}
    return {**sizes, **chosen, **routed, **method, **first}


def ministral3(random: Random, *_: int) -> dict[str, Any]:
    settings = {"llama_4_scaling_beta": 0.1, "original_max_position_embeddings": 16, "factor": 4.0}
    scaling = {"rope_type": "yarn", "rope_theta": 1e6, **settings}
    return random.choice(({}, {"rope_parameters": scaling})) | {"head_dim": random.choice((8, 12))}


def olmo(random: Random, *_: int) -> dict[str, Any]:
    return {"clip_qkv": random.choice((None, 8.0))}


def exaone4(random: Random, layers: int, *_: int) -> dict[str, Any]:
    none = {"sliding_window": None, "layer_types": [FULL] * layers}
    window = random.choice((none, {"sliding_window": 5}, {"sliding_window": 20}))
    return {**window, **({} if window["sliding_window"] is None else kinds(random, layers))} | {
        "sliding_window_pattern": random.choice((1, 2, 4))
    }


def turned_by_kind(random: Random, layers: int, *_: int) -> dict[str, Any]:
    settings = {kind: {"rope_type": "default", "rope_theta": 5000.0} for kind in (FULL, SLIDING)}
    return {**kinds(random, layers), **random.choice(({}, {"rope_parameters": settings}))}


def olmoe(random: Random, *_: int) -> dict[str, Any]:
    return {**experts(random), **olmo(random)}


def ernie4_5_moe(random: Random, layers: int, *_: int) -> dict[str, Any]:
    chosen = {"moe_num_experts": random.choice((3, 4, 8)), "moe_k": random.choice((1, 2, 3))}
    shared = {"moe_num_shared_experts": random.choice((0, 1, 2)), "moe_intermediate_size": 9}
    start = random.randint(0, layers)
    end = random.choice((-1, random.randint(0, layers - 1)))
    layers_with = {
        "moe_layer_start_index": start,
        "moe_layer_end_index": end,
        "moe_layer_interval": random.choice((1, 2)),
    }
    return {**chosen, **shared, **layers_with}


def local_experts(random: Random, *_: int) -> dict[str, Any]:
    return {"num_local_experts": random.choice((3, 4, 8)), "num_experts_per_tok": random.choice((1, 2, 3))}


def granitemoeshared(random: Random, *_: int) -> dict[str, Any]:
    return {**local_experts(random), "shared_intermediate_size": random.choice((0, 12))}


def phimoe(random: Random, *_: int) -> dict[str, Any]:
    return {"num_local_experts": random.choice((3, 4, 8)), "num_experts_per_tok": 2, "sliding_window": None}


def corrected(random: Random, layers: int, *_: int) -> dict[str, Any]:
    groups = random.choice((1, 2, 4))
    chosen = {"n_group": groups, "topk_group": random.randint(1, groups), "num_experts_per_tok": random.choice((1, 2))}
    routed = {"n_routed_experts": 3 * groups, "n_shared_experts": random.choice((1, 2)), "moe_intermediate_size": 9}
    return {**chosen, **routed, "first_k_dense_replace": random.randint(0, layers)}


def glm4_moe(random: Random, layers: int, *_: int) -> dict[str, Any]:
    return {**corrected(random, layers), **turned(random), "head_dim": random.choice((8, 16))}


def networks(random: Random, layers: int) -> dict[str, Any]:
    return random.choice(({}, {"mlp_layer_types": [random.choice(("dense", "sparse")) for _ in range(layers)]}))


def glm4_moe_lite(random: Random, layers: int, heads: int, width: int) -> dict[str, Any]:
    found = {**deepseek(random, layers, heads, width), **networks(random, layers)}
    return {key: value for key, value in found.items() if key not in ("first_k_dense_replace", "topk_method")}


def dots1(random: Random, layers: int, heads: int, width: int) -> dict[str, Any]:
    return {**corrected(random, layers), **kinds(random, layers), "max_window_layers": random.choice((0, 1, 62))}


def hunyuan_v1_moe(random: Random, layers: int, *_: int) -> dict[str, Any]:
    each = random.choice((1, 2, [random.randint(1, 3) for _ in range(layers)]))
    return {"num_experts": random.choice((3, 4)), "moe_topk": each, "head_dim": random.choice((8, 12))}


def minimax_m2(random: Random, *_: int) -> dict[str, Any]:
    turns = random.choice(({}, {"rotary_dim": random.choice((4, 8))}, turned(random)))
    return {**experts(random), **turns, "head_dim": 16}


def mellum(random: Random, layers: int, *_: int) -> dict[str, Any]:
    settings = {kind: {"rope_type": "default", "rope_theta": 5000.0} for kind in (FULL, SLIDING)}
    turns = random.choice(({}, {"rope_parameters": settings}))
    sizes = {"moe_intermediate_size": 9, "head_dim": random.choice((8, 12)), "num_nextn_predict_layers": None}
    return {**experts(random), **kinds(random, layers), **networks(random, layers), **turns, **sizes}


def cwm(random: Random, layers: int, *_: int) -> dict[str, Any]:
    return {**kinds(random, layers), "head_dim": random.choice((8, 12)), "bos_token_id": 1}


def latent(random: Random, layers: int, heads: int, width: int) -> dict[str, Any]:
    sizes = {"kv_lora_rank": 12, "q_lora_rank": random.choice((None, 10)), "qk_nope_head_dim": 6}
    return {**sizes, "v_head_dim": 10, "qk_rope_head_dim": 4, "num_key_value_heads": heads}


def apertus(random: Random, *_: int) -> dict[str, Any]:
    return {"hidden_act": random.choice(("xielu", "xielu", "relu2"))}


def afmoe(random: Random, layers: int, *_: int) -> dict[str, Any]:
    shared = {"num_shared_experts": random.choice((1, 2)), "moe_intermediate_size": 9}
    first = {"num_dense_layers": random.randint(0, layers), "global_attn_every_n_layers": random.choice((2, 3, 4))}
    return {**experts(random), **shared, **first, **kinds(random, layers), "head_dim": random.choice((8, 12))}


def mimo_v2_flash(random: Random, layers: int, heads: int, *_: int) -> dict[str, Any]:
    found = {
        key: value for key, value in corrected(random, layers).items() if "shared" not in key and "dense" not in key
    }
    settings = {
        kind: {"rope_type": "default", "rope_theta": 5e3, "partial_rotary_factor": 0.5} for kind in (FULL, SLIDING)
    }
    turns = random.choice(({}, {"rope_parameters": settings}))
    sizes = {
        "head_dim": 12,
        "v_head_dim": random.choice((8, 12)),
        "num_key_value_heads": random.choice((1, 2, heads // 2)),
    }
    return {**found, **kinds(random, layers), **networks(random, layers), **turns, **sizes}


def llama4_text(random: Random, layers: int, *_: int) -> dict[str, Any]:
    chosen = {"num_local_experts": random.choice((3, 4)), "num_experts_per_tok": random.choice((1, 2))}
    turns = random.choice(({}, {"no_rope_layers": [random.randint(0, 1) for _ in range(layers)]}))
    sizes = {
        "intermediate_size_mlp": 18,
        "head_dim": random.choice((8, 12)),
        "interleave_moe_layer_step": random.choice((1, 2)),
    }
    return {**chosen, **turns, **sizes, "attention_chunk_size": random.choice((5, 20, 8192))}


def gpt_bigcode(random: Random, *_: int) -> dict[str, Any]:
    return {"n_inner": random.choice((None, 30)), "add_cross_attention": False}


def mpt(random: Random, *_: int) -> dict[str, Any]:
    return {"attn_config": {"clip_qkv": random.choice((None, 8.0))}, "max_seq_len": 64, "no_bias": True}


def exaone_moe(random: Random, layers: int, *_: int) -> dict[str, Any]:
    groups = random.choice((1, 2, 4))
    chosen = {"n_group": groups, "topk_group": random.randint(1, groups), "num_experts_per_tok": random.choice((1, 2))}
    routed = {"num_experts": 3 * groups, "num_shared_experts": random.choice((1, 2)), "moe_intermediate_size": 9}
    first = {"first_k_dense_replace": random.randint(0, layers), "sliding_window": 5}
    return {**chosen, **routed, **first, **kinds(random, layers), **networks(random, layers)}


def axk1(random: Random, layers: int, heads: int, width: int) -> dict[str, Any]:
    return {**glm4_moe_lite(random, layers, heads, width), "q_lora_rank": 10, "moe_layer_freq": random.choice((1, 2))}


def hy_v3(random: Random, layers: int, *_: int) -> dict[str, Any]:
    shared = {"num_shared_experts": random.choice((1, 2)), "moe_intermediate_size": 9}
    return {**experts(random), **shared, **networks(random, layers), "head_dim": random.choice((8, 12))}


def laguna(random: Random, layers: int, heads: int, width: int) -> dict[str, Any]:
    each = random.choice((None, [heads * random.randint(1, 2) for _ in range(layers)]))
    settings = {kind: {"rope_type": "default", "rope_theta": 5e3} for kind in (FULL, SLIDING)}
    turns = random.choice(({}, {"rope_parameters": settings}))
    gates = {"gating": random.choice((True, "per-head", "per-element")), "num_attention_heads_per_layer": each}
    capped = {"moe_router_logit_softcapping": random.choice((0.0, 30.0)), "moe_apply_router_weight_on_input": False}
    sizes = {"moe_intermediate_size": 9, "shared_expert_intermediate_size": 12, "head_dim": 8}
    return {**experts(random), **kinds(random, layers), **networks(random, layers), **turns, **gates, **capped, **sizes}


def cohere2_moe(random: Random, layers: int, *_: int) -> dict[str, Any]:
    shared = {"num_shared_experts": random.choice((0, 1, 2)), "head_dim": random.choice((8, 12))}
    ways = {"shared_expert_combination_strategy": random.choice(("sum", "average"))}
    ways |= {"expert_selection_fn": random.choice(("softmax", "sigmoid")), "rms_norm_eps": random.choice((None, 1e-5))}
    first = {"first_k_dense_replace": random.randint(0, layers), "sliding_window_pattern": random.choice((2, 4))}
    first |= {"prefix_dense_sliding_window_pattern": random.choice((1, 2))}
    first |= {"prefix_dense_intermediate_size": random.choice((None, 18))}
    return {**experts(random), **shared, **ways, **first, **kinds(random, layers)}


def indexed(random: Random, layers: int, heads: int, width: int) -> dict[str, Any]:
    sizes = {"index_n_heads": random.randint(1, 3), "index_head_dim": random.choice((4, 8))}
    found = {**glm4_moe_lite(random, layers, heads, width), **sizes, "index_topk": random.choice((3, 20, 2048))}
    return {**found, "q_lora_rank": 10, "first_k_dense_replace": random.randint(0, layers)}


def glm_moe_dsa(random: Random, layers: int, heads: int, width: int) -> dict[str, Any]:
    letters = "F" + "".join(random.choice("FS") for _ in range(layers - 1))
    words = [{"F": "full", "S": "shared"}[letter] for letter in letters]
    often = {"index_topk_freq": random.choice((1, 2, 3)), "index_skip_topk_offset": random.choice((1, 2, 3))}
    ways: tuple[dict[str, Any], ...] = ({}, {"indexer_types": words}, {"index_topk_pattern": letters}, often)
    return {**indexed(random, layers, heads, width), **random.choice(ways)}


def gemma4_text(random: Random, layers: int, heads: int, width: int) -> dict[str, Any]:
    layers = random.randint(2, 7)
    kinds = [*random.choices((FULL, SLIDING), k=layers - 1), FULL]
    shared = [n for n in range(layers) if set(kinds[: layers - n]) == set(kinds)]
    sizes = {"num_hidden_layers": layers, "head_dim": width, "global_head_dim": random.choice((width, 2 * width))}
    sizes |= {"num_global_key_value_heads": random.choice((None, 1, 2)), "num_kv_shared_layers": random.choice(shared)}
    sizes |= {"num_experts": 4, "top_k_experts": random.choice((1, 2)), "moe_intermediate_size": 12}
    own = (0, 6) if sizes["num_kv_shared_layers"] == 0 else (6,)  # the library's class fails without
    sizes |= {"hidden_size_per_layer_input": random.choice(own)}
    sizes |= {"sliding_window": random.choice((5, 20, 4096)), "final_logit_softcapping": random.choice((None, 30.0))}
    sizes |= {
        "vocab_size_per_layer_input": 130,
        "use_bidirectional_attention": random.choice((None, None, "all", "vision")),
    }
    if random.random() < 0.8:
        sizes["layer_types"] = kinds
    else:
        sizes["num_kv_shared_layers"] = 0
    return sizes


def helium(random: Random, layers: int, heads: int, width: int) -> dict[str, Any]:
    return {"head_dim": width}


def granite_swa(random: Random, layers: int, *_: int) -> dict[str, Any]:
    bases = {"layer_rope_theta": [random.choice((0, 5000.0, 1e4)) for _ in range(layers)]}
    return {"sliding_window": random.choice((5, 20, 4096)), **kinds(random, layers), **random.choice(({}, bases))}


def granitemoe_swa(random: Random, *sizes: int) -> dict[str, Any]:
    return {**granitemoeshared(random, *sizes), **granite_swa(random, *sizes)}


def gemma3n_text(random: Random, layers: int, heads: int, width: int) -> dict[str, Any]:
    same = gemma4_text(random, layers, heads, width)
    layers = same["num_hidden_layers"]
    kinds = same.get("layer_types", [FULL if (i + 1) % 5 == 0 else SLIDING for i in range(layers)])
    found = {"layer_types": kinds, **{key: same[key] for key in ("num_hidden_layers", "head_dim", "sliding_window")}}
    count = random.choice((2, 3, 4))
    found |= {"altup_num_inputs": count, "altup_active_idx": random.randrange(count), "laurel_rank": 6}
    found |= {"num_kv_shared_layers": same["num_kv_shared_layers"], "hidden_size_per_layer_input": 6}
    found |= {"intermediate_size": random.choice((20, [random.choice((20, 33)) for _ in range(layers)]))}
    shares = [random.choice((0.0, 0.9)) for _ in range(layers)]
    return {**found, "activation_sparsity_pattern": random.choice((None, shares)), "vocab_size_per_layer_input": 130}


def gpt_neox_japanese(random: Random, *_: int) -> dict[str, Any]:
    return {"rotary_pct": random.choice((0.5, 1.0)), "intermediate_multiple_size": random.choice((2, 4))}


FAMILY = {
    **SPARSE_FAMILIES,
    "deepseek_v32": indexed,
    "glm_moe_dsa": glm_moe_dsa,
    "gemma3n_text": gemma3n_text,
    "gemma4_text": gemma4_text,
    "gpt_neox_japanese": gpt_neox_japanese,
    "helium": helium,
    "granite_swa": granite_swa,
    "granitemoe_swa": granitemoe_swa,
    "cwm": cwm,
    "vaultgemma": gemma2,
    "minicpm3": latent,
    "youtu": latent,
    "apertus": apertus,
    "afmoe": afmoe,
    "mimo_v2_flash": mimo_v2_flash,
    "llama4_text": llama4_text,
    "gpt_bigcode": gpt_bigcode,
    "mpt": mpt,
    "persimmon": turned,
    "solar_open": corrected,
    "exaone_moe": exaone_moe,
    "axk1": axk1,
    "ministral": cwm,
    "hy_v3": hy_v3,
    "laguna": laguna,
    "cohere2_moe": cohere2_moe,
    "olmoe": olmoe,
    "flex_olmo": experts,
    "ernie4_5_moe": ernie4_5_moe,
    "granitemoe": local_experts,
    "granitemoeshared": granitemoeshared,
    "phimoe": phimoe,
    "glm4_moe": glm4_moe,
    "glm4_moe_lite": glm4_moe_lite,
    "dots1": dots1,
    "hunyuan_v1_moe": hunyuan_v1_moe,
    "minimax_m2": minimax_m2,
    "mellum": mellum,
    "ministral3": ministral3,
    "olmo": olmo,
    "olmo3": turned_by_kind,
    "exaone4": exaone4,
    "cohere2": kinds,
    "glm": glm4,
    "seed_oss": stated_heads,
    "ernie4_5": stated_heads,
    "hunyuan_v1_dense": stated_heads,
    "gpt2": gpt2,
    "gpt_neo": gpt_neo,
    "gpt_neox": turned,
    "gptj": gptj,
    "codegen": gptj,
    "opt": opt,
    "falcon": falcon,
    "phi": turned,
    "phi3": phi3,
    "mixtral": experts,
    "qwen2": qwen,
    "qwen3": qwen,
    "qwen2_moe": qwen2_moe,
    "qwen3_moe": sparse_qwen,
    "gemma": gemma,
    "gemma2": gemma2,
    "gemma3_text": gemma2,
    "stablelm": turned,
    "nemotron": turned,
    "smollm3": smollm3,
    "glm4": glm4,
    "gpt_oss": experts,
    "deepseek_v2": deepseek,
    "deepseek_v3": deepseek,
}
"""What is drawn of a family's own keys, from its layers, heads and the width of a head."""
