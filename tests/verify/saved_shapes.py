"""Small models of every family that a config.json can name, in the shapes that change what a training step saves.

`python tests/verify/saved_activations.py` measures them. This file needs no torch.
"""

from __future__ import annotations

from typing import Any

BATCH, TOKENS, SOURCE = 2, 20, 12
"""Sequences, tokens of each, and tokens of an encoder beside a decoder. A window of 8 is shorter than the sequence."""
WIDTH, LAYERS, HEADS, HIDDEN, WORDS, MOST = 48, 3, 6, 40, 64, 32
NO_TOKENS = {"pad_token_id": 0, "bos_token_id": None, "eos_token_id": None}
DECODER = {
    **{"vocab_size": WORDS, "hidden_size": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS},
    **{"max_position_embeddings": MOST, **NO_TOKENS},
}
GATED = {**DECODER, "intermediate_size": HIDDEN}
GROUPED = {**GATED, "num_key_value_heads": 2}
OLDER = {"vocab_size": WORDS, "n_embd": WIDTH, "n_layer": LAYERS, "n_head": HEADS, "n_positions": MOST, **NO_TOKENS}
JAX = {**OLDER, "n_ctx": MOST, "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
"""GPT-J's keys, which CodeGen has too."""
TURNED = {**JAX, "n_head": 4, "rotary_dim": 4}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2}
SPARSE = {**GROUPED, **EXPERTS, "moe_intermediate_size": 24}
STILL = {"hidden_dropout": 0.0, "attention_dropout": 0.0}
FALCON = {**DECODER, **STILL, "alibi": False, "new_decoder_architecture": False, "bias": False}
NEW_FALCON = {**FALCON, "new_decoder_architecture": True, "num_kv_heads": 2, "parallel_attn": True}
GEMMA = {**GROUPED, "head_dim": 12}
GEMMA_4 = {
    **{**GEMMA, "num_hidden_layers": 4, "global_head_dim": 16, "sliding_window": 8, "num_kv_shared_layers": 2},
    **{"layer_types": ["sliding_attention", "full_attention"] * 2, "use_double_wide_mlp": True},
    **{"hidden_size_per_layer_input": 6, "vocab_size_per_layer_input": WORDS},
}
LATENT = {
    **{**GATED, "num_hidden_layers": 3, "kv_lora_rank": 16, "q_lora_rank": None, "qk_nope_head_dim": 8},
    **{"qk_rope_head_dim": 4, "v_head_dim": 10, "n_routed_experts": 4, "num_experts_per_tok": 2},
    **{"n_shared_experts": 1, "moe_intermediate_size": 24, "first_k_dense_replace": 1, "n_group": 1, "topk_group": 1},
    **{"num_key_value_heads": HEADS},
}
BERT = {
    **{**GATED, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
}
STACKS = {
    **{"vocab_size": WORDS, "d_model": WIDTH, "encoder_layers": 2, "decoder_layers": 3, "encoder_ffn_dim": HIDDEN},
    **{"decoder_ffn_dim": 44, "encoder_attention_heads": 4, "decoder_attention_heads": HEADS, "dropout": 0.0},
    **{"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1},
}
TOWER = {"hidden_size": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "intermediate_size": HIDDEN}
VISION = {**TOWER, "image_size": 16, "patch_size": 4, "num_channels": 3}
TEXT = {
    **TOWER,
    "vocab_size": WORDS,
    "max_position_embeddings": MOST,
    **NO_TOKENS,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
HEAD_OF = {
    **{"bert": "BertForMaskedLM", "roberta": "RobertaForMaskedLM", "distilbert": "DistilBertForMaskedLM"},
    **{"tapas": "TapasForMaskedLM", "longformer": "LongformerForMaskedLM", "xlnet": "XLNetLMHeadModel"},
    "xlm": "XLMWithLMHeadModel",
    **{"electra": "ElectraForMaskedLM", "t5": "T5ForConditionalGeneration", "bart": "BartForConditionalGeneration"},
    **{"whisper": "WhisperForConditionalGeneration", "vit": "ViTForImageClassification", "clip": "CLIPModel"},
    **{"clip_text_model": "CLIPTextModelWithProjection", "clip_vision_model": "CLIPVisionModelWithProjection"},
    **{"resnet": "ResNetForImageClassification", "convnext": "ConvNextForImageClassification"},
    **{"gpt2": "GPT2LMHeadModel", "gptj": "GPTJForCausalLM", "codegen": "CodeGenForCausalLM", "opt": "OPTForCausalLM"},
    **{"gpt_neo": "GPTNeoForCausalLM", "gpt_neox": "GPTNeoXForCausalLM", "gpt_oss": "GptOssForCausalLM"},
    **{"gemma3_text": "Gemma3ForCausalLM", "gemma4_text": "Gemma4ForCausalLM"},
    **{"deepseek_v2": "DeepseekV2ForCausalLM", "smollm3": "SmolLM3ForCausalLM"},
    **{"deepseek_v3": "DeepseekV3ForCausalLM", "qwen2_moe": "Qwen2MoeForCausalLM", "qwen3_moe": "Qwen3MoeForCausalLM"},
    **{"stablelm": "StableLmForCausalLM", "gpt2 sequences": "GPT2ForSequenceClassification"},
    **{"llama sequences": "LlamaForSequenceClassification"},
}
"""The class that is measured of a family or of one of its shapes, unless it is the family's name and ForCausalLM."""
OWN_SIZES = {"gpt_neox one token": {"batch": 3, "seq_len": 1}, "llama one sequence": {"batch": 1}}
"""Shapes that differ from the others in sequences or tokens alone."""

SHAPES: dict[str, dict[str, Any]] = {
    "gpt2": {**JAX},
    "gpt2 dropout": {**OLDER, "resid_pdrop": 0.1, "embd_pdrop": 0.1, "attn_pdrop": 0.1},
    "gpt2 relu": {**JAX, "activation_function": "relu", "n_inner": 30, "scale_attn_weights": False},
    "gpt2 gelu": {**JAX, "activation_function": "gelu", "tie_word_embeddings": False},
    "gpt2 upcast": {**JAX, "reorder_and_upcast_attn": True, "scale_attn_by_inverse_layer_idx": True},
    "gpt2 sequences": {**JAX},
    "gpt_neo": {
        **{"vocab_size": WORDS, "hidden_size": WIDTH, "num_layers": 4, "num_heads": HEADS, "window_size": 8},
        **{"max_position_embeddings": MOST, "attention_types": [[["global", "local"], 2]], **NO_TOKENS},
        **{"embed_dropout": 0.0, "attention_dropout": 0.0, "resid_dropout": 0.0},
    },
    "gpt_neo global": {
        **{"vocab_size": WORDS, "hidden_size": WIDTH, "num_layers": 2, "num_heads": 4, "intermediate_size": 30},
        **{"max_position_embeddings": MOST, "attention_types": [[["global"], 2]], **NO_TOKENS},
        **{"embed_dropout": 0.1, "attention_dropout": 0.1, "resid_dropout": 0.1, "activation_function": "gelu"},
    },
    "gpt_neox": {**GATED, "rotary_pct": 0.5},
    "gpt_neox serial": {**GATED, "rotary_pct": 1.0, "use_parallel_residual": False, "attention_bias": False},
    "gpt_neox dropout": {**GATED, "rotary_pct": 0.25, "hidden_dropout": 0.1, "attention_dropout": 0.1},
    "gpt_neox another's key": {**GATED, "partial_rotary_factor": 0.75},
    "gpt_neox one token": {**GATED, "rotary_pct": 0.25},
    "gptj": {**TURNED},
    "gptj whole": {**JAX, "n_head": HEADS, "rotary_dim": 8, "n_inner": 30, "activation_function": "relu"},
    "gptj dropout": {**TURNED, "resid_pdrop": 0.1, "embd_pdrop": 0.1, "attn_pdrop": 0.1},
    "codegen": {**TURNED},
    "codegen gelu": {**TURNED, "n_head": 8, "rotary_dim": 2, "activation_function": "gelu", "n_inner": 30},
    "codegen whole": {**TURNED, "n_head": 4, "rotary_dim": 12},
    "opt": {
        **{**DECODER, "ffn_dim": HIDDEN, "word_embed_proj_dim": WIDTH, "dropout": 0.0},
    },
    "opt narrow": {
        **{**DECODER, "ffn_dim": HIDDEN, "word_embed_proj_dim": 12, "do_layer_norm_before": False, "dropout": 0.1},
    },
    "opt plain": {**DECODER, "ffn_dim": 30, "word_embed_proj_dim": WIDTH, "enable_bias": False, "dropout": 0.0},
    "bloom": {"vocab_size": WORDS, "hidden_size": WIDTH, "n_layer": LAYERS, "n_head": HEADS, **STILL, **NO_TOKENS},
    "bloom normed": {
        **{"vocab_size": WORDS, "hidden_size": WIDTH, "n_layer": LAYERS, "n_head": 4, **NO_TOKENS},
        **{"apply_residual_connection_post_layernorm": True, "hidden_dropout": 0.1, "attention_dropout": 0.1},
    },
    "falcon": {**FALCON, "multi_query": True, "parallel_attn": True},
    "falcon bias": {**FALCON, "multi_query": True, "parallel_attn": True, "bias": True, "hidden_dropout": 0.1},
    "falcon serial": {**FALCON, "multi_query": True, "parallel_attn": False},
    "falcon heads": {**FALCON, "multi_query": False, "parallel_attn": False},
    "falcon heads parallel": {**FALCON, "multi_query": False, "parallel_attn": True, "activation": "relu"},
    "falcon alibi": {**FALCON, "multi_query": False, "parallel_attn": False, "alibi": True, "bias": True},
    "falcon alibi multi-query": {**FALCON, "multi_query": True, "alibi": True, "attention_dropout": 0.1},
    "falcon grouped": {**NEW_FALCON},
    "falcon grouped one norm": {**NEW_FALCON, "num_ln_in_parallel_attn": 1},
    "falcon grouped alone": {**NEW_FALCON, "num_kv_heads": 1},
    "falcon grouped each": {**NEW_FALCON, "num_kv_heads": HEADS},
    "phi": {**GATED, "partial_rotary_factor": 0.5},
    "phi normed": {**GROUPED, "partial_rotary_factor": 0.25, "qk_layernorm": True, "resid_pdrop": 0.1},
    "phi3": {**GATED},
    "phi3 grouped": {**GROUPED, "sliding_window": 8},
    "phi3 partial": {**GROUPED, "partial_rotary_factor": 0.5},
    "phi3 multi-query": {**GATED, "num_key_value_heads": 1, "resid_pdrop": 0.1, "attention_dropout": 0.1},
    "llama": {**GATED},
    "llama grouped": {**GROUPED, "tie_word_embeddings": True},
    "llama multi-query": {**GATED, "num_key_value_heads": 1, "attention_bias": True, "mlp_bias": True},
    "llama wide": {**GROUPED, "head_dim": 12},
    "llama gelu_python": {**GATED, "hidden_act": "gelu_python"},
    "llama gelu_fast": {**GATED, "hidden_act": "gelu_fast"},
    "llama gelu_10": {**GATED, "hidden_act": "gelu_10"},
    "llama relu2": {**GATED, "hidden_act": "relu2"},
    "llama quick_gelu": {**GATED, "hidden_act": "quick_gelu"},
    "llama gelu_accurate": {**GATED, "hidden_act": "gelu_accurate"},
    "llama mish": {**GATED, "hidden_act": "mish"},
    "llama dropout": {**GROUPED, "attention_dropout": 0.1, "hidden_act": "gelu"},
    "llama sequences": {**GROUPED},
    "llama one sequence": {**GATED, "num_key_value_heads": 1, "attention_dropout": 0.1},
    "mistral": {**GROUPED, "sliding_window": None},
    "mistral window": {**GROUPED, "sliding_window": 8, "head_dim": 10},
    "mistral wide window": {**GROUPED, "sliding_window": 20},
    "mixtral": {**GROUPED, "num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": None},
    "mixtral window": {**GROUPED, "num_local_experts": 3, "num_experts_per_tok": 1, "sliding_window": 8},
    "qwen2": {**GROUPED},
    "qwen2 window": {**GROUPED, "use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1},
    "qwen2_moe": {**SPARSE, "shared_expert_intermediate_size": 30},
    "qwen2_moe mixed": {
        **{**SPARSE, "shared_expert_intermediate_size": 30, "decoder_sparse_step": 2, "norm_topk_prob": True},
    },
    "qwen3": {**GROUPED, "head_dim": 12},
    "qwen3 bias": {**GATED, "num_key_value_heads": HEADS, "head_dim": 8, "attention_bias": True},
    "qwen3 window": {
        **{**GROUPED, "head_dim": 12, "use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1},
    },
    "qwen3_moe": {**SPARSE, "head_dim": 12, "norm_topk_prob": True},
    "qwen3_moe mixed": {**SPARSE, "head_dim": 8, "mlp_only_layers": [0], "num_experts_per_tok": 1},
    "gemma": {**GEMMA},
    "gemma multi-query": {**GEMMA, "num_key_value_heads": 1, "hidden_activation": "gelu"},
    "gemma2": {**GEMMA, "sliding_window": 8, "query_pre_attn_scalar": 12},
    "gemma2 uncapped": {
        **{**GEMMA, "sliding_window": 8, "attn_logit_softcapping": None, "final_logit_softcapping": None},
    },
    "gemma3_text": {**GEMMA, "sliding_window": 8, "sliding_window_pattern": 2, "query_pre_attn_scalar": 12},
    "gemma3_text capped": {**GEMMA, "sliding_window": 8, "attn_logit_softcapping": 50.0},
    "gemma3_text wide both ways": {
        **GEMMA,
        "sliding_window": 64,
        "use_bidirectional_attention": True,
        "sliding_window_pattern": 2,
    },
    "gemma3_text both ways": {**GEMMA, "sliding_window": 8, "use_bidirectional_attention": True},
    "gemma4_text": {**GEMMA_4},
    "gemma4_text experts": {
        **{**GEMMA_4, "num_kv_shared_layers": 0, "hidden_size_per_layer_input": 0, "enable_moe_block": True},
        **{"num_experts": 4, "top_k_experts": 2, "moe_intermediate_size": 24, "attention_k_eq_v": True},
        "num_global_key_value_heads": 1,
    },
    "gemma4_text both ways": {**GEMMA_4, "use_bidirectional_attention": "all", "attention_dropout": 0.1},
    "olmo2": {**GROUPED},
    "olmo2 alone": {**GATED, "attention_bias": True},
    "stablelm": {**GATED, "num_key_value_heads": HEADS, "partial_rotary_factor": 0.25},
    "stablelm grouped": {**GROUPED, "partial_rotary_factor": 0.5, "qk_layernorm": True, "use_parallel_residual": True},
    "stablelm bias": {**GROUPED, "use_qkv_bias": True, "hidden_dropout": 0.1},
    "cohere": {**GROUPED},
    "cohere alone": {**GATED, "attention_bias": True},
    "cohere normed": {**GROUPED, "use_qk_norm": True},
    "cohere normed alone": {**GATED, "use_qk_norm": True, "attention_dropout": 0.1},
    "granite": {**GROUPED, "residual_multiplier": 0.5, "embedding_multiplier": 2.0, "logits_scaling": 3.0},
    "granite bias": {**GATED, "attention_bias": True, "mlp_bias": True, "attention_dropout": 0.1},
    "starcoder2": {**GROUPED, "sliding_window": None, "residual_dropout": 0.0, "embedding_dropout": 0.0},
    "starcoder2 window": {
        **{**GROUPED, "sliding_window": 8, "use_bias": False, "residual_dropout": 0.1, "embedding_dropout": 0.1},
    },
    "smollm3": {**GROUPED, "num_hidden_layers": 4},
    "smollm3 window": {**GROUPED, "num_hidden_layers": 4, "use_sliding_window": True, "sliding_window": 8},
    "glm4": {**GROUPED, "head_dim": 12, "attention_bias": True, "partial_rotary_factor": 0.5},
    "glm4 whole": {**GROUPED, "head_dim": 8, "attention_bias": False, "partial_rotary_factor": 1.0},
    "nemotron": {**GROUPED, "partial_rotary_factor": 0.5},
    "nemotron bias": {**GROUPED, "attention_bias": True, "mlp_bias": True, "partial_rotary_factor": 1.0},
    "gpt_oss": {**GROUPED, "head_dim": 12, "num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": 8},
    "gpt_oss alone": {
        **{**GATED, "num_key_value_heads": HEADS, "head_dim": 8, "num_local_experts": 3, "num_experts_per_tok": 1},
        **{"sliding_window": 32, "layer_types": ["full_attention"] * LAYERS, "attention_dropout": 0.1},
    },
    "deepseek_v2": {**LATENT},
    "deepseek_v2 groups": {
        **{**LATENT, "q_lora_rank": 14, "topk_method": "group_limited_greedy", "n_group": 2, "topk_group": 1},
    },
    "deepseek_v3": {**LATENT, "n_group": 2, "q_lora_rank": 14},
    "deepseek_v3 dense": {**LATENT, "first_k_dense_replace": 3, "attention_bias": True},
    "bert": {**BERT},
    "bert dropout": {**BERT, "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1, "hidden_act": "relu"},
    "roberta": {**BERT, "bos_token_id": 1, "eos_token_id": 2},
    "electra": {**BERT, "embedding_size": 16},
    "tapas": {**BERT, "type_vocab_sizes": [3, 5, 5, 2, 4, 4, 3]},
    "longformer": {**BERT, "max_position_embeddings": 48, "attention_window": 4},
    "xlnet": {
        **{"vocab_size": WORDS, "d_model": WIDTH, "n_layer": LAYERS, "n_head": HEADS, "d_inner": HIDDEN},
        **{"dropout": 0.0, **NO_TOKENS},
    },
    "xlm": {
        **{"vocab_size": WORDS, "emb_dim": WIDTH, "n_layers": LAYERS, "n_heads": HEADS, "dropout": 0.0},
        **{"attention_dropout": 0.0, "max_position_embeddings": MOST, **NO_TOKENS},
    },
    "distilbert": {
        **{"vocab_size": WORDS, "dim": WIDTH, "n_layers": LAYERS, "n_heads": HEADS, "hidden_dim": HIDDEN},
        **{"max_position_embeddings": MOST, "dropout": 0.0, "attention_dropout": 0.0, "pad_token_id": 0},
    },
    "t5": {
        **{"vocab_size": WORDS, "d_model": WIDTH, "d_kv": 8, "d_ff": HIDDEN, "num_layers": 2, "num_decoder_layers": 3},
        **{"num_heads": HEADS, "dropout_rate": 0.0, "decoder_start_token_id": 0},
    },
    "t5 gated": {
        **{"vocab_size": WORDS, "d_model": WIDTH, "d_kv": 10, "d_ff": HIDDEN, "num_layers": 2, "num_heads": 4},
        **{"dropout_rate": 0.1, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
        **{"decoder_start_token_id": 0},
    },
    "t5 single": {
        **{"vocab_size": WORDS, "d_model": WIDTH, "d_kv": 8, "d_ff": HIDDEN, "num_layers": 1, "num_decoder_layers": 1},
        **{"num_heads": 4, "dropout_rate": 0.0, "decoder_start_token_id": 0},
    },
    "bart": {**STACKS, "max_position_embeddings": MOST},
    "bart scaled": {**STACKS, "max_position_embeddings": MOST, "scale_embedding": True, "dropout": 0.1},
    "whisper": {**STACKS, "num_mel_bins": 5, "max_source_positions": 10, "max_target_positions": MOST},
    "vit": {**VISION, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
    "clip": {"text_config": {**TEXT}, "vision_config": {**VISION}, "projection_dim": 20},
    "clip_text_model": {**TEXT, "projection_dim": 20},
    "clip_vision_model": {**VISION, "projection_dim": 20},
    "resnet": {"hidden_sizes": [8, 16], "depths": [2, 2], "embedding_size": 8, "layer_type": "basic"},
    "resnet bottleneck": {"hidden_sizes": [16, 32], "depths": [2, 1], "embedding_size": 8, "layer_type": "bottleneck"},
    "convnext": {"hidden_sizes": [8, 16], "depths": [2, 2], "num_stages": 2, "patch_size": 4},
    "convnext unscaled": {
        **{"hidden_sizes": [8, 16], "depths": [1, 3], "num_stages": 2, "patch_size": 4, "layer_scale_init_value": 0.0},
    },
    "mamba": {
        **{"vocab_size": WORDS, "hidden_size": 24, "state_size": 4, "num_hidden_layers": LAYERS, **NO_TOKENS},
    },
    "mamba2": {
        **{"vocab_size": WORDS, "hidden_size": 24, "num_hidden_layers": LAYERS, "num_heads": 6, "head_dim": 8},
        **{"expand": 2, "n_groups": 2, "chunk_size": 8, "state_size": 4, **NO_TOKENS},
    },
    "mamba2 whole chunks": {
        **{"vocab_size": WORDS, "hidden_size": 24, "num_hidden_layers": LAYERS, "num_heads": 6, "head_dim": 8},
        **{"expand": 2, "n_groups": 3, "chunk_size": 10, "state_size": 4, **NO_TOKENS},
    },
    "jamba": {
        **{**GROUPED, "num_hidden_layers": 4, "attn_layer_period": 2, "attn_layer_offset": 1},
        **{"expert_layer_period": 2, "expert_layer_offset": 1, "num_experts": 4, "mamba_d_state": 4},
        **{"mamba_dt_rank": 3, "use_mamba_kernels": False, "num_experts_per_tok": 2},
    },
}
"""By name, which begins with the family's `model_type`: the keys of the config.json."""
EAGER_ALONE = ("resnet", "convnext", "mamba", "mamba2", "tapas", "longformer", "xlnet", "xlm")
"""Families without attention, or with one kind of it."""
NEVER_CHECKPOINTED = ("resnet", "convnext", "mamba", "xlm", "xlnet", "longformer")
"""The last one's layers are given a mask of all pairs of tokens besides, which no gradient needs."""
WIDE_ALONE = ("longformer", "xlnet")
"""Families whose class mixes float32 with other dtypes, and does not run in those."""


def config_of(name: str) -> dict[str, Any]:
    """The content of a shape's config.json."""
    family = name.split()[0]
    plain = "".join(word.capitalize() for word in family.split("_"))
    kind = HEAD_OF.get(name, HEAD_OF.get(family, f"{plain}ForCausalLM"))
    return {**SHAPES[name], "model_type": family, "architectures": [kind]}


def runs(name: str) -> list[tuple[str, str, bool]]:
    """A shape's runs: dtype, attention, and whether each layer is checkpointed."""
    family = name.split()[0]
    kinds = ("eager",) if family in EAGER_ALONE or name == "gemma2" else ("eager", "fused")
    again = (False,) if family in NEVER_CHECKPOINTED else (False, True)
    dtypes = ("float32",) if family in WIDE_ALONE else ("float32", "bfloat16")
    return [(dtype, kind, flag) for dtype in dtypes for kind in kinds for flag in again]


def label(dtype: str, attention: str, checkpointed: bool) -> str:
    """How a run is called."""
    return f"{dtype} {attention}" + " checkpointed" * checkpointed


def workload(name: str) -> dict[str, int]:
    """The sizes that a shape's model is run on, as graphacct takes them."""
    family = name.split()[0]
    if family in ("vit", "clip_vision_model"):
        return {"batch": BATCH, "image_size": SHAPES[name]["image_size"]}
    if family in ("resnet", "convnext"):
        return {"batch": BATCH, "image_size": 32}
    sizes = {"batch": BATCH, "seq_len": TOKENS, **OWN_SIZES.get(name, {})}
    if family in ("t5", "bart"):
        sizes["encoder_seq_len"] = SOURCE
    return sizes
