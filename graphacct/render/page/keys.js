// The keyboard, and the search.

// The part that an arrow key leads to, as in a tree: up and down among the parts that are drawn, left to the scope
// around, right into an open one.
function neighbour(key) {
  const order = [...view.boxes.keys()].sort((a, b) => a - b);
  const index = order.indexOf(state.selected);
  if (key === "ArrowDown") return order[Math.min(index + 1, order.length - 1)];
  if (key === "ArrowUp") return order[Math.max(index - 1, 0)];
  if (key === "ArrowLeft") return state.selected === ROOT ? ROOT : PARTS[state.selected].in;
  return isScope(state.selected) && state.open.has(state.selected) ? PARTS[state.selected].parts[0] : state.selected;
}

function follow(number) {
  select(number);
  const box = view.boxes.get(number);
  if (!box) return;
  const [left, top] = [box.x * view.scale + view.x, box.y * view.scale + view.y];
  const { clientWidth: width, clientHeight: height } = stage();
  if (left < 0 || left + box.width * view.scale > width) view.x = width / 2 - (box.x + box.width / 2) * view.scale;
  if (top < 0 || top + BOX.height * view.scale > height) view.y = height / 2 - (box.y + BOX.height / 2) * view.scale;
  place();
}

const KEYS = {
  "/": () => document.getElementById("search").focus(),
  "+": () => zoom(1.25),
  "=": () => zoom(1.25),
  "-": () => zoom(0.8),
  f: () => fit(),
  0: () => fit(),
  e: () => openAll(),
  c: () => openFirst(),
  d: () => switchTheme(),
  s: () => exportView(),
  "?": () => toggleHelp(),
  Escape: () => (toggleHelp(false), select(ROOT)),
};

function listenToKeys() {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, [contenteditable]")) return;
    if (event.key.startsWith("Arrow")) {
      if (event.target.closest("button, summary, a")) return;
      event.preventDefault();
      return follow(neighbour(event.key));
    }
    if ((event.key === "Enter" || event.key === " ") && !event.target.closest("button, summary, a")) {
      event.preventDefault();
      if (state.selected !== ROOT && isScope(state.selected)) toggle(state.selected);
      return;
    }
    if (KEYS[event.key]) {
      event.preventDefault();
      KEYS[event.key]();
    }
  });
}

function search() {
  const field = document.getElementById("search");
  const list = document.getElementById("found");
  const words = field.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
  const hits = words.length
    ? PARTS.map((part, number) => number).filter((number) => number !== ROOT && words.every((word) => `${PARTS[number].path} ${PARTS[number].operator ?? ""}`.toLowerCase().includes(word)))
    : [];
  const go = (number) => {
    list.hidden = true;
    reveal(number);
    stage().focus();
  };
  const rows = hits.slice(0, 12).map((number) => element("button", { type: "button", click: () => go(number) }, element("span", {}, PARTS[number].path), element("small", {}, kindOf(number))));
  if (words.length && !hits.length) rows.push(element("p", { class: "note" }, "nothing has this name"));
  if (hits.length > rows.length) rows.push(element("p", { class: "note" }, `and ${hits.length - rows.length} more`));
  list.replaceChildren(...rows);
  list.hidden = !words.length;
  return hits.length ? () => go(hits[0]) : null;
}
