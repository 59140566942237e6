"""What single families of the transformers library do otherwise than the names of their inputs say."""

from __future__ import annotations

from collections.abc import Mapping

DEFAULT_BINS: Mapping[str, int] = {"gemma4_audio": 128}
"""The bins of families that no key states."""
STACKED = frozenset(("granite_speech5_ctc", "granite_speech5_encoder", "fun_asr_nano_encoder"))
"""Families that take several frames beside one another, as many as their first layer takes."""
FRAMES_FIRST = frozenset(("speech_to_text", "seamless_m4t", "seamless_m4t_v2"))
"""Families whose features are frames of bins, with a limit of positions all the same."""
BINS_FIRST = frozenset(("clvp", "glmasr", "glmasr_encoder", "qwen3_asr", "qwen3_asr_encoder"))
"""Families whose features are bins of frames, without a limit of positions."""
WIDE_FEATURES = frozenset(("pop2piano",))
"""Families whose encoder takes frames as wide as its stream in the place of words."""
WITH_MASK = frozenset(("audioflamingo3_encoder", "musicflamingo_encoder"))
"""Families that take the mask of their features for given."""
MASK_OF_BOOLS = frozenset(("gemma3n",))
"""Families that negate the mask of their features, and need truths for it."""
PAIRS = frozenset(("efficientloftr", "lightglue", "superglue"))
"""Families that match the points of two images."""
ONE_CHANNEL = frozenset(
    (
        "dac",
        "neucodec",
        "pe_audio",
        "pe_audio_video",
        "pe_audio_video_encoder",
        "pe_audio_encoder",
        "vibevoice_acoustic_tokenizer",
        "vibevoice_acoustic_tokenizer_encoder",
        "vibevoice_semantic_tokenizer",
        "xcodec",
        "xcodec2",
        "higgs_audio_v2_tokenizer",
    )
)
"""Families whose sound has a dimension of channels."""
TOGETHER: Mapping[str, tuple[str, ...]] = {
    "decision_transformer": ("actions", "rewards", "returns_to_go", "timesteps"),
    "lxmert": ("visual_feats", "visual_pos"),
    "pix2struct": ("decoder_input_ids", "attention_mask"),
    "blip": ("decoder_input_ids",),
    "gemma3n": ("input_features", "input_features_mask"),
    "idefics": ("image_attention_mask",),
    "kosmos-2": ("image_embeds_position_mask",),
    "kosmos-2.5": ("flattened_patches", "image_embeds_position_mask"),
    "minicpm_ocr_vision": ("target_sizes",),
    "minicpmv4_6_vision": ("target_sizes",),
    "minicpmv4_7_vision": ("target_sizes",),
    "voxtral_realtime": ("input_features",),
    "pe_audio_video_encoder": ("pixel_values_videos",),
    "pe_audio_video": ("input_values",),
    "pi0": ("input_ids", "pixel_values", "pixel_attention_mask"),
    "blip_2_qformer": ("encoder_hidden_states",),
    "speecht5": ("decoder_input_values",),
    "xmod": ("lang_ids",),
}
"""Inputs that a class runs without by its signature, and not by its code."""
TWO_TEXTS = frozenset(("blip",))
"""Families with a class that reads a question and its answer, and no key that says so."""
WITH_CODES = frozenset(("kyutai_speech_to_text",))
"""Families that read the codes of all codebooks beside each token of text."""
CODES_IN_BATCH = frozenset(("musicgen", "musicgen_melody"))
"""Families whose codebooks are sequences of their own."""
IMAGES_BY_TEXT = frozenset(("idefics2", "idefics3", "smolvlm", "modernvbert", "colmodernvbert", "idefics"))
"""Families whose images have a dimension of their own beside the batch."""
CUT_IMAGES = frozenset(("llava_next", "llava_next_video", "llava_onevision", "granite4_vision"))
"""Families whose classes read from the size of an image how it was cut into squares."""
SIZED_IMAGES = CUT_IMAGES | {"mistral3", "lighton_ocr"}
"""Families that take the size of each image beside it."""
IMAGES_OF_TEXT = frozenset(("idefics", "pi0"))
"""Families with several images for each text."""
VIDEOS_OF_TEXT = frozenset(("instructblipvideo",))
"""Families with a video of four images for each text."""
LIKE_IMAGES = frozenset(("clap", "clap_audio_model"))
"""Families whose features are an image of one channel."""
PATCHES_AS_IMAGES = frozenset(("kimi_k25", "kimi_k25_vision", "paddleocr_vl"))
"""Families whose patches are images, and not rows."""
WITH_IMAGES = frozenset(("bridgetower", "idefics", "tvp", "vilt", "flava", "owlvit", "owlv2", "grounding-dino"))
"""Families of text and images whose class has no part for the text alone."""
IMAGES_OF_TOKENS = frozenset(("inkling2_vision",))
"""Families whose images come in squares, one for each token that the text has of them."""
BOXES_IN_FLOATS = frozenset(("udop",))
"""Families whose boxes are parts of the page's sides; elsewhere they are thousandths."""
COUNTED_SOUNDS = frozenset(("qwen2_audio", "musicflamingo"))
"""Families whose classes count the tokens that stand for a sound, one for four frames of its spectrum."""
MASKED_SOUNDS = frozenset(("qwen2_audio",))
"""Families that read the mask of a text with sounds."""
SOUNDS_OF_TEXT = frozenset(("vibevoice_asr",))
"""Families that read samples, with a dimension of channels, beside a text."""
WHOLE_CHUNKS = frozenset(("qwen3_asr", "qwen3_asr_encoder"))
"""Families whose features are padded to whole chunks."""
