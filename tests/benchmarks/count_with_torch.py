"""A model of a config.json by the transformers library on the meta device and torch's FLOP counter, forward.

`python count_with_torch.py FOLDER`: what a report is compared with, as a whole process.
"""

from __future__ import annotations

import sys

import torch
import transformers
from torch.utils.flop_counter import FlopCounterMode

SEQ_LEN = 1024

transformers.masking_utils.find_packed_sequence_indices = lambda position_ids: None  # it reads values; meta has none
config = transformers.AutoConfig.from_pretrained(sys.argv[1])
kind = getattr(transformers, config.architectures[0])
options = {"attn_implementation": "eager", "dtype": config.dtype}
if hasattr(config, "n_routed_experts"):
    options["experts_implementation"] = "batched_mm"
with torch.device("meta"):
    model = kind._from_config(config, **options).eval()
ids = torch.zeros((1, SEQ_LEN), dtype=torch.long, device="meta")
with torch.no_grad(), FlopCounterMode(display=False) as counter:
    model(input_ids=ids, use_cache=False)
print(sum(parameter.numel() for parameter in model.parameters()), counter.get_total_flops())
