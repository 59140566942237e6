// What is said of the parts: their kind, and for a screen reader all of it, as a tree whose items the arrow keys choose.

function kindOf(number) {
  const part = PARTS[number];
  if (!isScope(number)) return [part.operator === part.name ? "" : part.operator, part.small ? "" : shapeText(part.shape, part.dtype)].filter(Boolean).join(" ");
  return nodesText(number);
}

const nodesText = (number) => (NODES[number] === 1 ? "1 node" : `${NODES[number]} nodes`);

// How many nodes are in each part.
const NODES = PARTS.map((part) => (part.parts || part.kind ? 0 : 1));
for (let number = PARTS.length - 1; number > ROOT; number--) NODES[PARTS[number].in] += NODES[number];

function sayParts() {
  const quantity = quantityOf(state.color);
  const { title, unit } = QUANTITIES[quantity];
  for (const [number, box] of view.boxes) {
    const item = document.getElementById(`part-${number}`);
    const part = PARTS[number];
    const amount = part.kind ? "" : `${title} ${human(valueOf(number, quantity), unit)}`;
    const told = part.kind ? terminalText(part) : [nameOf(part), kindOf(number), amount, percent(shareOf(number, quantity))].filter(Boolean).join(", ");
    set(item, "role", "treeitem");
    set(item, "aria-level", box.depth + 1);
    set(item, "aria-label", told);
    set(item, "aria-selected", number === state.selected);
    if (isScope(number)) set(item, "aria-expanded", state.open.has(number));
  }
}
