"""An architecture of your own: a configuration, a function that builds, and presets."""

import attrs

import graphacct
from graphacct import fields
from graphacct.hooks.manager import load


@attrs.frozen
class MixerConfig:
    tokens: int = fields.size(196)
    width: int = fields.size(512)
    depth: int = fields.size(8)


def mlp(b, x, name):
    with b.scope(name):
        n = x.spec.shape[-1]
        y = b.apply("linear", x, b.parameter("fc.weight", (4 * n, n)), name="fc")
        y = b.apply("gelu", y, name="act")
        return b.apply("linear", y, b.parameter("proj.weight", (n, 4 * n)), name="proj")


def layer(b, x):
    across = mlp(b, b.apply("transpose", x, name="by_token", dims=(1, 2)), "tokens")
    x = b.apply("add", x, b.apply("transpose", across, name="by_channel", dims=(1, 2)), name="tokens_residual")
    return b.apply("add", x, mlp(b, x, "channels"), name="channels_residual")


def build(config, workload, b):
    x = b.input("patches", (workload.batch, config.tokens, config.width))
    return b.repeat("layers", config.depth, layer, x)


class Mine:
    @graphacct.hookimpl
    def graphacct_register_architectures(self):
        return [graphacct.Architecture("mixer", MixerConfig, build, {"mixer-s": MixerConfig()}, sizes={})]


plugins = load()
plugins.register(Mine(), "mine", "04_own_architecture.py")
report = graphacct.account("mixer-s", batch=2, set={"depth": 12}, plugins=plugins)
print(report)
assert report.total["params"] == 12 * (8 * 196**2 + 8 * 512**2)
assert report.total["matmul_flops"] == 12 * 2 * 2 * (512 * 8 * 196**2 + 196 * 8 * 512**2)
