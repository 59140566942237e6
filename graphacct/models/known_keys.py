"""Keys of config.json files that a family's configuration does not take: what is known of each.

Imported only for a file that has such keys. The tables hold the attributes of the transformers library's configuration
classes (5.23, with those of its generation settings, which older versions kept in the same file), and the keys of
published files. A family adds its own (`Architecture.no_cost`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ANY = None
"""Of a key that changes no cost, whatever its value."""
OFF: tuple[Any, ...] = (None, False, 0, 0.0, 1, 1.0, "", "none", [], {})
"""Values with which a key changes nothing."""

COSTLY = frozenset(
    [
        "add_cross_attention",
        "alibi",
        "attention_bias",
        "attn_logit_softcapping",
        "clip_qkv",
        "cross_attention_hidden_size",
        "decoder_layers",
        "encoder_layers",
        "final_logit_softcapping",
        "first_k_dense_replace",
        "kv_lora_rank",
        "layer_types",
        "mlp_bias",
        "mlp_only_layers",
        "moe_intermediate_size",
        "moe_layer_freq",
        "multi_query",
        "n_routed_experts",
        "n_shared_experts",
        "new_decoder_architecture",
        "num_experts",
        "num_experts_per_tok",
        "num_local_experts",
        "num_kv_heads",
        "num_key_value_heads",
        "parallel_attn",
        "per_layer_config",
        "pruned_heads",
        "q_lora_rank",
        "qk_layernorm",
        "quantization",
        "quantization_config",
        "compression_config",
        "shared_expert_intermediate_size",
        "sliding_window",
        "tie_encoder_decoder",
        "use_parallel_residual",
        "use_bidirectional_attention",
        "use_sliding_window",
        "use_qk_norm",
    ]
)
"""Keys that change the cost of the families that know them. In any other family they are an error."""
SWITCHES = {"sliding_window": "use_sliding_window", "max_window_layers": "use_sliding_window"}
"""Keys that mean nothing if another key is false."""
FREQUENCIES = frozenset(["rope_theta", "rope_base", "rope_local_base_freq", "rotary_emb_base"])
"""Bases of rotary positions: positive numbers, which change no cost."""
FURTHER_TOKENS = frozenset(
    [
        "num_nextn_predict_layers",
        "mtp_num_hidden_layers",
        "mtp_num_layers",
        "num_mtp_layers",
        "num_mtp_modules",
        "n_mtp_layers",
        "num_mtp",
    ]
)
"""Counts of layers that predict further tokens (multi-token prediction), which the library's classes leave out."""

_ANY = """
    model_type architectures transformers_version _name_or_path auto_map _commit_hash custom_pipelines
    _attn_implementation _attn_implementation_autoset _attn_implementation_internal _experts_implementation
    _experts_implementation_internal _flash_attn_2_enabled attn_implementation _output_attentions _post_init_done
    dtype torch_dtype id2label label2id num_labels _num_labels problem_type finetuning_task task_specific_params
    tokenizer_class
    prefix return_dict output_attentions output_hidden_states output_past output_scores output_logits
    output_router_logits return_dict_in_generate use_return_dict torchscript use_bfloat16 tf_legacy_loss
    gradient_checkpointing use_cache is_encoder_decoder is_composition tie_word_embeddings tie_weights_
    unsloth_version unsloth_fixed model_max_length name author license tokenizer_name n_special predict_special_tokens
    fp16 bf16 fp32 softmax_in_fp32 use_cache_quantization use_cache_kernel num_logits_to_keep
    calc_logits_for_entire_prompt

    do_sample early_stopping num_beams num_beam_groups diversity_penalty temperature top_h top_k top_p min_p typical_p
    repetition_penalty length_penalty no_repeat_ngram_size encoder_no_repeat_ngram_size encoder_repetition_penalty
    bad_words_ids force_words_ids force_bos_token_to_be_generated forced_decoder_ids num_return_sequences
    remove_invalid_values exponential_decay_length_penalty
    suppress_tokens begin_suppress_tokens forced_bos_token_id forced_eos_token_id max_length min_length max_new_tokens
    min_new_tokens max_time stop_strings penalty_alpha renormalize_logits constraints sequence_bias token_healing
    guidance_scale watermarking_config epsilon_cutoff eta_cutoff low_memory dola_layers cache_implementation
    cache_config compile_config disable_compile is_assistant num_assistant_tokens num_assistant_tokens_schedule
    assistant_confidence_threshold assistant_early_exit assistant_ensemble_weight assistant_lookbehind
    target_lookbehind prompt_lookup_num_tokens max_matching_ngram_size max_cache_len prefill_chunk_size
    speculation_type continuous_batching_config use_mtp generation_config _from_model_config

    initializer_range initializer_factor init_std init_method init_device initializer_cutoff_factor
    embedding_initializer_range
    layer_norm_eps layer_norm_epsilon layernorm_epsilon norm_eps norm_epsilon rms_norm_eps rms_norm_epsilon
    layernorm_eps ln_eps
    rope_theta rotary_emb_base rope_base rope_local_base_freq rope_interleave rope_interleaved rope_scaling_factor
    rope_theta_base original_max_position_embeddings initial_context_length rope_traditional rope_ratio
    rotary_scaling_factor
    attention_multiplier embedding_multiplier residual_multiplier logits_scaling logit_scale logit_scale_init_value
    query_pre_attn_scalar attention_scale scale_embedding routed_scaling_factor scale_attn_by_inverse_layer_idx
    offset_alibi relative_attention_max_distance
    router_aux_loss_coef router_z_loss_coef aux_loss_alpha seq_aux z_loss_coefficient load_balancing_loss_coef
    moe_z_loss_coeff moe_loss_weight moe_jitter_eps z_loss_weight multi_token_pred_lambda mtp_loss_factor
    classifier_activation_loss aux_loss_coef
    ep_size tp_size pretraining_tp tensor_parallel_size pp_size
    apply_spec_augment mask_time_prob mask_time_length mask_time_min_masks mask_feature_prob mask_feature_length
    mask_feature_min_masks median_filter_width
    summary_type summary_use_proj summary_activation summary_proj_to_labels summary_first_dropout
    masked_softmax_fusion bias_dropout_fusion attention_softmax_in_fp32 skip_bias_add skip_bias_add_qkv
    use_flash_attn use_flash_attention flash_attn flash_rotary fused_mlp fused_dense fused_bias_fc fused_dropout_add_ln
    fused_add_norm use_flash_rotary use_fused_rms_norm
    apply_query_key_layer_scaling normalize_attention_scores
    position_buckets_max embed_init_std use_logn_attn use_dynamic_ntk
    out_features out_indices stage_names _out_features _out_indices
    quantization_kwargs kv_cache_dtype
"""
_TOKENS = ("_token_id", "_token_ids", "_token_index", "_token", "_tokens_ids")
"""Endings of keys that name tokens of the vocabulary."""

NO_COST: Mapping[str, tuple[Any, ...] | None] = {
    **dict.fromkeys(_ANY.split(), ANY),
    "activation_dropout": (0, None),
    "add_bias_logits": (False,),
    "add_final_layer_norm": (False,),
    "attention_probs_dropout_prob": (0,),
    "attn_pdrop": (0,),
    "apply_residual_connection_post_layernorm": (False,),
    "chunk_size_feed_forward": (0,),
    "classif_dropout": ANY,
    "emb_dropout_prob": (0,),
    "embd_pdrop": (0,),
    "resid_pdrop": (0,),
    "hidden_dropout": (0,),
    "hidden_dropout_prob": (0,),
    "full_attn_mod": (1,),
    "interpolate_factor": (1,),
    "is_decoder": (False,),
    "lm_head_bias": (False,),
    "layerdrop": (0,),
    "encoder_layerdrop": (0,),
    "decoder_layerdrop": (0,),
    "mlp_type": ("default",),
    "normalize_before": (False,),
    "position_embedding_type": ("absolute", "rope", "rotary"),
    "qkv_bias": (False,),
    "reorder_and_upcast_attn": (False,),
    "rotary": (True,),
    "quantization_bit": (0,),
    "router_jitter_noise": (0,),
    "scale_attn_weights": (True,),
    "sinusoidal_pos_embds": ANY,
    "slow_but_exact": (False,),
    "ssm_cfg": ({},),
    "topk_method": ("greedy", "group_limited_greedy", "noaux_tc"),
    "use_mrope": (False,),
    "use_rmsnorm": (True,),
}
"""Keys that change no cost, each with the values at which it changes none. At any other value it is not understood."""


def changes_no_cost(key: str, value: Any, own: Mapping[str, tuple[Any, ...] | None]) -> bool | None:
    """Returns whether a key is known to change no cost at this value; None for a key that is not known. `own` are the
    family's keys, as in NO_COST."""
    for table in (own, NO_COST):
        if key in table:
            values = table[key]
            return values is None or any(
                value == item and isinstance(value, bool) == isinstance(item, bool) for item in values
            )
    return True if key.endswith(_TOKENS) else None


def is_off(value: Any) -> bool:
    """Returns whether a key that costs changes nothing with this value. True equals 1, but switches something on."""
    return value is not True and value in OFF
