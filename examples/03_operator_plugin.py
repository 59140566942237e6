"""An operator of your own: one decorated function, and a hook that registers it."""

import networkx

import graphacct
from graphacct.hooks.manager import load


@graphacct.operator("x: ... -> ...", saves={"x": "the derivative is evaluated at x"})
def squared_relu(batch):
    """max(x, 0)² (So et al., 2021). 2 per element: a comparison, a product."""
    return graphacct.Work(vector_flops=2 * batch)


class Mine:
    """A plugin is a module or any object with marked functions; this one would be a file of its own."""

    @graphacct.hookimpl
    def graphacct_register_operators(self):
        return [squared_relu]


plugins = load()
plugins.register(Mine(), "mine", "03_operator_plugin.py")

model = networkx.DiGraph(name="mlp")
model.add_node("x", shape=(32, 784))
model.add_node("fc", operator="linear", params={"weight": (300, 784), "bias": (300,)})
model.add_node("act", operator="squared_relu")
networkx.add_path(model, ["x", "fc", "act"])

graph = graphacct.Graph.from_nx(model, operators=plugins.operators)
report = graphacct.account(graph, plugins=plugins)
print(report)
assert report["act"].values["vector_flops"] == 2 * 32 * 300
assert plugins.origin("operators", "squared_relu") == "mine (03_operator_plugin.py)"
