"""Files of SAM's models for videos, read as the model of single images that their mask generation loads.

Ravi et al., 2024 (arXiv:2408.00714); Carion et al., 2025 (arXiv:2511.16719).
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import ConfigError, fields

MEMORY = (
    *("num_maskmem", "sigmoid_scale_for_mem_enc", "sigmoid_bias_for_mem_enc"),
    *("enable_occlusion_spatial_embedding", "multimask_output_in_sam", "multimask_min_pt_num"),
    *("multimask_max_pt_num", "multimask_output_for_tracking", "max_object_pointers_in_encoder"),
    *("max_cond_frame_num", "enable_temporal_pos_encoding_for_object_pointers", "rope_parameters"),
    *("memory_attention_hidden_size", "memory_attention_num_layers", "memory_attention_num_attention_heads"),
    *("memory_attention_downsample_rate", "memory_attention_feed_forward_hidden_size"),
    *("memory_attention_feed_forward_hidden_act", "memory_attention_dropout", "memory_attention_rope_feat_sizes"),
    *("memory_attention_rope_dropout", "memory_attention_rope_theta", "memory_encoder_hidden_size"),
    *("memory_encoder_output_channels", "mask_downsampler_embed_dim", "mask_downsampler_kernel_size"),
    *("mask_downsampler_stride", "mask_downsampler_padding", "mask_downsampler_total_stride"),
    *("mask_downsampler_hidden_act", "memory_fuser_num_layers", "memory_fuser_embed_dim"),
    *("memory_fuser_intermediate_dim", "memory_fuser_kernel_size", "memory_fuser_padding"),
    *("memory_fuser_layer_scale_init_value", "memory_fuser_hidden_act"),
)
"""Keys of what remembers other frames, which the model of single images has not."""
TRACKING = (
    *("low_res_mask_size", "score_threshold_detection", "det_nms_thresh", "assoc_iou_thresh", "trk_assoc_iou_thresh"),
    *("new_det_thresh", "recondition_on_trk_masks", "hotstart_delay", "hotstart_unmatch_thresh"),
    *("hotstart_dup_thresh", "suppress_unmatched_only_within_hotstart", "init_trk_keep_alive"),
    *("max_trk_keep_alive", "min_trk_keep_alive", "suppress_overlapping_based_on_recent_occlusion_threshold"),
    *("decrease_trk_keep_alive_for_empty_masklets", "fill_hole_area", "max_num_objects"),
    *("recondition_every_nth_frame", "high_conf_thresh", "high_iou_thresh", "detector_config"),
)
"""Keys of the objects that are followed through a video."""


def of_single_images(name: str, other: str) -> Any:
    """Returns the key `architectures`: the class `name`; `other` is that of videos."""

    def check(value: Any, field: attrs.Attribute[Any]) -> str:
        names = [value] if isinstance(value, str) else value
        if names and names[0] == other:
            raise ConfigError(
                f"{field.name} has {other!r}, which remembers other frames and is not modelled; the same file is read "
                f"for single images with --set architectures={name}"
            )
        if names and names[0] != name:
            raise ConfigError(f"{field.name} has {names[0]!r}: the class for single images is {name!r}")
        return name

    return fields.checked_field(check, name)
