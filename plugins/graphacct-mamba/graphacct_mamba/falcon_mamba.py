"""Falcon Mamba: Mamba's layers with normalized time steps, B and C (Zuo et al., 2024, arXiv:2410.05355)."""

from functools import partial

from graphacct_architectures.losses import NEXT_TOKEN_LOSSES, entropy_if

from graphacct import Architecture, Builder, Dim, PresetFiles, Value, Workload, fields, frozen
from graphacct_mamba.mamba import CONTEXT, MambaConfig, described, stacked
from graphacct_mamba.mixer import mixer
from graphacct_mamba.sizes import NO_COST, inexact

CAUSAL, MODEL = "FalconMambaForCausalLM", "FalconMambaModel"


@frozen(kw_only=True)
class FalconMambaConfig(MambaConfig):
    """The keys of the published config.json that the cost depends on: Mamba's."""

    architectures: str = fields.model_class(CAUSAL, (CAUSAL, MODEL))
    num_hidden_layers: Dim = fields.size(32)


def build(config: FalconMambaConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from token ids to logits, or to the last stream."""
    mix = partial(mixer, described(config, normed=True, gains=False), workload)
    return stacked(config, MODEL, mix, workload, b)


ARCHITECTURE = Architecture(
    "falcon_mamba",
    FalconMambaConfig,
    build,
    PresetFiles(__file__),
    sizes={"seq_len": lambda config: CONTEXT},
    phases=("forward", "train", "prefill", "decode"),
    dtype="bfloat16",
    aliases={"torch_dtype": "dtype"},
    no_cost={**NO_COST, "mixer_rms_eps": None, "use_falcon_mambapy": None},
    losses=NEXT_TOKEN_LOSSES,
    default_loss=lambda config: entropy_if(config.architectures != MODEL),
    last_logits=True,
    inexact=inexact,
    model_types=("falcon_mamba",),
    doc="Falcon Mamba: Mamba's selective scan with normalized time steps, B and C.",
)
