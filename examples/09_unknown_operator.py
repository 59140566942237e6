"""An operator that nothing can cost is an error; on request it is left out, and every total says so."""

import networkx

import graphacct

model = networkx.DiGraph(name="mystery")
model.add_node("x", shape=(8, 16))
model.add_node("fc", operator="linear", params={"weight": (4, 16)})
model.add_node("fold", operator="origami", shape=(8, 4))
networkx.add_path(model, ["x", "fc", "fold"])
graph = graphacct.Graph.from_nx(model)

try:
    graphacct.account(graph)
except graphacct.GraphacctError as error:
    message = str(error)
print(message)
assert message.startswith("node 'fold': no operator 'origami' is registered")

report = graphacct.account(graph, unknown="report")
print(report)
assert report.coverage.uncosted == (("fold", "origami"),)
assert report.total["flops"] == 2 * 8 * 16 * 4
