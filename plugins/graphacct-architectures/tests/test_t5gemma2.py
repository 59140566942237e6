"""T5Gemma 2: what is refused; multimodal.json has its figures."""

from __future__ import annotations

from typing import Any

import pytest

import graphacct

TEXT = {"num_hidden_layers": 1, "hidden_size": 16, "intermediate_size": 8, "vocab_size": 32}
SMALL: dict[str, Any] = {"model_type": "t5gemma2", "encoder": {"text_config": TEXT}, "decoder": TEXT}
REFUSED: tuple[tuple[dict[str, Any], dict[str, Any], str], ...] = (
    (
        {"decoder": {**TEXT, "hidden_size": 24}},
        {},
        "encoder.text_config.hidden_size is 16, decoder.hidden_size 24: they have to agree",
    ),
    ({"architectures": ["T5Gemma2ForTokenClassification"]}, {"phase": "decode"}, "classifies: it has the phases"),
    ({"architectures": ["T5Gemma2Model"]}, {"logits": "last"}, "T5Gemma2Model has no logits of the vocabulary"),
    ({}, {"images": 1}, "mm_tokens_per_image is 256, 16 a side; an image has 14 patches a side"),
    (
        {"encoder": {"text_config": TEXT, "mm_tokens_per_image": 49}},
        {"images": 2, "encoder_seq_len": 50},
        "encoder_seq_len 50 is shorter than the 98 placeholders of 2 images of 49 tokens",
    ),
)


@pytest.mark.parametrize(("content", "sizes", "message"), REFUSED, ids=lambda value: str(value)[:40])
def test_what_is_refused(content: dict[str, Any], sizes: dict[str, Any], message: str) -> None:
    with pytest.raises(graphacct.GraphacctError, match=message):
        graphacct.account({**SMALL, **content}, **{"seq_len": 8, "images": 0, **sizes})
