"""The graph is a networkx graph: any of its algorithms runs on it."""

import networkx

import graphacct

report = graphacct.account("transformer-lm-small")
flat = report.annotated.graph.unroll()  # 12 layers written out instead of one block
nx = flat.nx
assert networkx.is_directed_acyclic_graph(nx)
assert set(nx.nodes["lm_head"]) == {"node"}

# The critical path by FLOPs: no machine can run the model in fewer steps than its work.
costs = {record.node.name: record.cost.flops for record in graphacct.annotate(flat).costs}
for _, target, data in nx.edges(data=True):
    data["flops"] = costs[target]
path = networkx.dag_longest_path(nx, weight="flops")
on_path = sum(costs[name] for name in path)
print(f"{len(path)} of {len(nx)} nodes on the critical path, {on_path / sum(costs.values()):.2%} of the FLOPs")
assert path[-1] == "lm_head"
assert sum(costs.values()) == report.total["flops"]  # folded equals unrolled
off_path = 12 * 2 * 1024 * 768 * (2 * 768 + 6400)  # of q, k, v and of w1, w3 only one each is on it
assert off_path < sum(costs.values()) - on_path < 1.001 * off_path

# Where the residual stream is the only way through: its articulation points.
between = nx.subgraph(networkx.descendants(nx, "token_embeddings")).to_undirected()
stream = [name for name in networkx.articulation_points(networkx.Graph(between)) if name.endswith("ffn_residual")]
print(f"{len(stream)} layers end in a single value")
assert len(stream) >= 11
