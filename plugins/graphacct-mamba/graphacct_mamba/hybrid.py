"""What stacks with Mamba-2's scans have in common: their keys, and the mixer that they describe."""

from __future__ import annotations

from typing import Any

import attrs
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders import DecoderConfig

from graphacct import ConfigError, Dim, Workload, brief, check_dim, exact_div, fields, frozen, has_value
from graphacct_mamba.scan_heads import AFTER, ScanHeads
from graphacct_mamba.sizes import inexact

SCAN_NO_COST: dict[str, tuple[Any, ...] | None] = dict.fromkeys(
    ["num_logits_to_keep", "time_step_limit", "time_step_max", "time_step_min", "use_mamba_kernels"]
)
"""Keys of these families' files that change no cost."""


def automatic() -> Any:
    """Returns a width of a head that may be `auto` (None): the channels divided by the heads."""

    def check(value: Any, field: attrs.Attribute[Any]) -> Dim | None:
        return None if value is None or value == "auto" else check_dim(value, field.name)

    return fields.checked_field(check, None, metadata=fields.OPTIONAL)


@frozen(kw_only=True)
class ScanConfig(DecoderConfig):
    """The keys of Mamba-2's scans under the names that most hybrids use."""

    mamba_n_heads: Dim = fields.size(128)
    mamba_d_head: Dim | None = automatic()
    mamba_n_groups: Dim = fields.size(1)
    mamba_d_state: Dim = fields.size(256)
    mamba_d_conv: Dim = fields.size(4)
    mamba_expand: Dim = fields.size(2)
    mamba_chunk_size: Dim = fields.size(256)
    mamba_conv_bias: bool = fields.flag(True)
    mamba_proj_bias: bool = fields.flag(False)

    def __attrs_post_init__(self) -> None:
        exact_div(self.mamba_n_heads, self.mamba_n_groups, "mamba_n_heads / mamba_n_groups")
        inner, width = self.scan_channels, self.scan_width
        heads = self.mamba_n_heads * width
        if has_value(inner) and has_value(heads) and inner != heads:
            raise ConfigError(
                f"the scan has {inner} channels, but mamba_n_heads {self.mamba_n_heads} times mamba_d_head "
                f"{brief(width)} is {heads}: they are the same"
            )

    @property
    def scan_channels(self) -> Dim:
        """Channels of a scan."""
        return self.mamba_expand * self.hidden_size

    @property
    def scan_width(self) -> Dim:
        """Channels of a head of a scan."""
        if self.mamba_d_head is not None:
            return self.mamba_d_head
        return exact_div(self.scan_channels, self.mamba_n_heads, "channels of the scan / mamba_n_heads")


def scan_of(config: Any, *, out_bias: bool | None = None, normed: str = AFTER, multiplied: bool = False) -> ScanHeads:
    """Returns the mixer of a configuration."""
    return ScanHeads(
        config.mamba_n_heads,
        config.scan_width,
        config.mamba_n_groups,
        config.mamba_d_state,
        config.mamba_d_conv,
        config.mamba_chunk_size,
        ACTIVATIONS[config.hidden_act],
        bias=config.mamba_proj_bias,
        conv_bias=config.mamba_conv_bias,
        out_bias=config.mamba_proj_bias if out_bias is None else out_bias,
        normed=normed,
        multiplied=multiplied,
    )


def of_the_chunks(config: Any, workload: Workload, dtype: str) -> tuple[str, ...]:
    """Returns what is not equal to the library's saved tensors: in 16 bits, and of tokens that are no whole chunks."""
    seq, chunk = workload.seq_len, getattr(config, "mamba_chunk_size", None) or getattr(config, "chunk_size", None)
    if dtype == "float32" and has_value(seq) and has_value(chunk) and seq % chunk:
        return (f"saved tensors of the scan are not the library's where seq_len is no multiple of its chunk {chunk}",)
    return inexact(config, workload, dtype)
