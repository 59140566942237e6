// Zoom, pan, search, keyboard, permalink, theme, export.

const SCALES = { least: 0.02, most: 4 };
const PADDING = 24;

const stage = () => document.getElementById("view");

function place() {
  document.getElementById("world").setAttribute("transform", `translate(${view.x} ${view.y}) scale(${view.scale})`);
}

function zoom(factor, x = stage().clientWidth / 2, y = stage().clientHeight / 2) {
  const scale = Math.min(Math.max(view.scale * factor, SCALES.least), SCALES.most);
  view.x = x - ((x - view.x) * scale) / view.scale;
  view.y = y - ((y - view.y) * scale) / view.scale;
  view.scale = scale;
  place();
}

function fit(whole = true) {
  const { clientWidth: width, clientHeight: height } = stage();
  const wide = (width - 2 * PADDING) / view.width;
  const high = (height - 2 * PADDING) / view.height;
  view.scale = Math.min(whole ? Math.min(wide, high) : Math.max(Math.min(wide, 1), 0.55), 1.25);
  view.x = (width - view.width * view.scale) / 2;
  view.y = view.height * view.scale < height ? (height - view.height * view.scale) / 2 : PADDING;
  place();
}

function toggle(number) {
  const box = view.boxes.get(number);
  if (state.open.has(number)) state.open.delete(number);
  else state.open.add(number);
  const before = box && { x: box.x + box.width / 2, y: box.y };
  draw();
  const after = view.boxes.get(number);
  if (before && after) {
    view.x += (before.x - after.x - after.width / 2) * view.scale; // what was clicked stays where it is
    view.y += (before.y - after.y) * view.scale;
  }
  place();
  writeLink();
}

function openAll() {
  PARTS.forEach((_, number) => isScope(number) && state.open.add(number));
  draw();
  fit();
  writeLink();
}

function openFirst(numbers = CONTENT.open) {
  state.open = new Set(numbers);
  draw();
  fit(false);
  writeLink();
}

function select(number) {
  state.selected = number;
  stage().setAttribute("aria-activedescendant", number === ROOT ? "" : `part-${number}`);
  paint();
  showPanel();
  writeLink();
}

// Opens what a part is in, and brings it into view.
function reveal(number) {
  for (const scope of scopesAround(number)) state.open.add(scope);
  draw();
  select(number);
  const box = view.boxes.get(number);
  if (!box) return fit();
  const { clientWidth: width, clientHeight: height } = stage();
  view.scale = Math.max(view.scale, 0.7);
  view.x = width / 2 - (box.x + box.width / 2) * view.scale;
  view.y = height / 2 - (box.y + Math.min(box.height / 2, height / 2 / view.scale - 40)) * view.scale;
  place();
}

function listenToPointers() {
  const pointers = new Map();
  let moved = false;
  stage().addEventListener("wheel", (event) => {
    event.preventDefault();
    const box = stage().getBoundingClientRect();
    if (event.ctrlKey || event.metaKey) zoom(Math.exp(-event.deltaY / 200), event.clientX - box.left, event.clientY - box.top);
    else {
      view.x -= event.shiftKey ? event.deltaY : event.deltaX;
      view.y -= event.shiftKey ? 0 : event.deltaY;
      place();
    }
  }, { passive: false });
  stage().addEventListener("pointerdown", (event) => {
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    moved = false;
  });
  addEventListener("pointermove", (event) => {
    const last = pointers.get(event.pointerId);
    if (!last) return;
    const [dx, dy] = [event.clientX - last.x, event.clientY - last.y];
    if (!moved && Math.hypot(dx, dy) < 4) return;
    moved = true;
    const others = [...pointers].filter(([id]) => id !== event.pointerId).map(([, each]) => each);
    if (others.length) {
      const box = stage().getBoundingClientRect();
      const factor = Math.hypot(event.clientX - others[0].x, event.clientY - others[0].y) / (Math.hypot(last.x - others[0].x, last.y - others[0].y) || 1);
      zoom(factor, others[0].x - box.left, others[0].y - box.top);
    } else {
      view.x += dx;
      view.y += dy;
      place();
    }
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  });
  for (const name of ["pointerup", "pointercancel"]) addEventListener(name, (event) => pointers.delete(event.pointerId));
  stage().addEventListener("click", (event) => {
    if (moved) return;
    const button = event.target.closest("[data-toggle]");
    if (button) return toggle(Number(button.dataset.toggle));
    const part = event.target.closest("[data-part]");
    select(part ? Number(part.dataset.part) : ROOT);
  });
  stage().addEventListener("dblclick", (event) => {
    const part = event.target.closest("[data-part]");
    if (part && isScope(Number(part.dataset.part)) && !event.target.closest("[data-toggle]")) toggle(Number(part.dataset.part));
  });
  stage().addEventListener("pointerover", (event) => showTip(event));
  stage().addEventListener("pointerleave", () => (document.getElementById("tip").hidden = true));
}

function showTip(event) {
  const tip = document.getElementById("tip");
  const part = event.target.closest("[data-part]");
  tip.hidden = !part || event.pointerType === "touch" || event.buttons > 0;
  if (tip.hidden) return;
  tip.replaceChildren(...tipOf(Number(part.dataset.part)));
  const box = part.querySelector("rect").getBoundingClientRect();
  const beside = box.right + 8 + tip.offsetWidth < innerWidth ? box.right + 8 : Math.max(box.left - tip.offsetWidth - 8, 4);
  tip.style.left = `${beside}px`;
  tip.style.top = `${Math.min(Math.max(event.clientY - 20, 4), innerHeight - tip.offsetHeight - 4)}px`;
}

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

// The link to the page as it is: changed sizes, the colouring quantity, open scopes, the chosen part.
function linkNow() {
  const found = new URLSearchParams();
  SIZES.forEach((size, index) => state.sizes[index] !== BigInt(size.value) && found.set(size.name, state.sizes[index]));
  if (state.color !== CONTENT.color) found.set("color", state.color);
  const open = [...state.open].sort((a, b) => a - b);
  if (open.join() !== CONTENT.open.join()) found.set("open", open.length === PARTS.filter((part) => part.parts).length ? "all" : open.join("."));
  if (state.selected !== ROOT) found.set("part", PARTS[state.selected].path || nameOf(PARTS[state.selected]));
  return found.toString();
}

function writeLink() {
  const link = linkNow();
  try {
    history.replaceState(null, "", link ? `#${link}` : "#");
  } catch {} // a frame without an address of its own
}

function readLink() {
  const given = new URLSearchParams(location.hash.slice(1));
  SIZES.forEach((size, index) => {
    const typedSize = size.fixed ? null : parseSize(given.get(size.name) ?? "");
    state.sizes[index] = typedSize ?? BigInt(size.value);
    writeSize(index);
  });
  state.color = quantityOf(given.get("color")) >= 0 ? given.get("color") : CONTENT.color;
  document.getElementById("color").value = state.color;
  const open = given.get("open");
  const scopes = PARTS.map((_, number) => number).filter(isScope);
  state.open = new Set(open === "all" ? scopes : open ? scopes.filter((number) => number === ROOT || open.split(".").includes(String(number))) : CONTENT.open);
  const chosen = PARTS.findIndex((part, number) => number !== ROOT && (part.path || nameOf(part)) === given.get("part"));
  state.selected = Math.max(chosen, ROOT);
}

function setTheme(theme) {
  view.theme = theme;
  document.documentElement.dataset.theme = theme;
  if (view.boxes.size) paint();
}

const switchTheme = () => setTheme(view.theme === "light" ? "dark" : "light");

function toggleHelp(shownNow) {
  const help = document.getElementById("help");
  help.hidden = shownNow === undefined ? !help.hidden : !shownNow;
}

// The view as an SVG file: all that is drawn, with the model and its totals above.
function viewAsSvg() {
  const theme = colours();
  const [width, height] = [view.width + 2 * PADDING, view.height + 2 * PADDING + 44];
  const made = svg("svg", { xmlns: SVG, width, height, viewBox: `0 0 ${width} ${height}` });
  made.append(svg("title", {}, CONTENT.model), svg("rect", { width, height, fill: theme.paper }));
  const totals = [...document.querySelectorAll("#totals .total")].map((each) => each.textContent).join(" · ");
  const sizes = SIZES.filter((size) => !size.config).map((size, index) => `${size.name} ${state.sizes[index]}`).join(", ");
  made.append(svg("text", { x: PADDING, y: 30, "font-family": FONT, "font-size": 16, "font-weight": 600, fill: theme.ink }, CONTENT.model));
  made.append(svg("text", { x: PADDING, y: 48, "font-family": FONT, "font-size": 12, fill: theme.muted }, [totals, sizes].filter(Boolean).join(" · ")));
  const world = document.getElementById("world").firstChild.cloneNode(true);
  world.setAttribute("transform", `translate(${PADDING} ${PADDING + 44})`);
  for (const each of world.querySelectorAll("*")) {
    for (const name of [...each.attributes].map((attribute) => attribute.name)) {
      if (name === "class" || name.startsWith("data-") || name === "id") each.removeAttribute(name);
    }
  }
  made.append(world);
  return new XMLSerializer().serializeToString(made);
}

function exportView() {
  const link = element("a", { href: URL.createObjectURL(new Blob([viewAsSvg()], { type: "image/svg+xml" })), download: `${CONTENT.model.replace(/[^\w.-]+/g, "_")}.svg` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function listenToPrinter() {
  let before = null;
  addEventListener("beforeprint", () => {
    before = { theme: view.theme, x: view.x, y: view.y, scale: view.scale };
    setTheme("light");
    stage().setAttribute("viewBox", `0 0 ${view.width + 2 * PADDING} ${view.height + 2 * PADDING}`);
    Object.assign(view, { x: PADDING, y: PADDING, scale: 1 });
    place();
  });
  addEventListener("afterprint", () => {
    stage().removeAttribute("viewBox");
    Object.assign(view, { x: before.x, y: before.y, scale: before.scale });
    setTheme(before.theme);
    place();
  });
}
