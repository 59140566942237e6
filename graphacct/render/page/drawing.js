// Draws the open parts as SVG. Everything looks as its attributes say, without a style sheet, so that the view can be
// exported as it is.

const SVG = "http://www.w3.org/2000/svg";
const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";
const THEMES = {
  light: {
    ink: "#1f2328", muted: "#59636e", line: "#8c959f", faint: "#d0d7de", paper: "#ffffff", residual: "#0969da",
    scopes: ["#f6f8fa", "#eef1f4"], chosen: "#0969da", found: "#bf8700", alarm: "#a40e26", added: "#00805b", removed: "#c04d00", changed: "#9a6c00",
  },
  dark: {
    ink: "#e6edf3", muted: "#9198a1", line: "#6e7681", faint: "#3d444d", paper: "#0d1117", residual: "#4493f8",
    scopes: ["#151b23", "#1c232c"], chosen: "#4493f8", found: "#d29922", alarm: "#ff7b72", added: "#3fb98b", removed: "#f08a4b", changed: "#d9a520",
  },
};
const STEPS = CONTENT.colours.light.length - 1;
const view = { scale: 1, x: 0, y: 0, width: 0, height: 0, boxes: new Map(), lines: [], theme: "light", legend: null };
const canvas = document.createElement("canvas").getContext("2d");
const widths = new Map();

function svg(name, attributes = {}, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// The width of a text: of its characters one by one, each measured once.
function textWidth(text, size, weight) {
  const key = `${weight} ${size}`;
  if (!widths.has(key)) widths.set(key, new Map());
  const known = widths.get(key);
  let sum = 0;
  for (const character of text) {
    if (!known.has(character)) {
      canvas.font = `${weight} ${size}px ${FONT}`;
      known.set(character, canvas.measureText(character).width);
    }
    sum += known.get(character);
  }
  return sum;
}

// A text in the room that there is: without its end if it is longer.
function fitted(text, room, size, weight) {
  if (textWidth(text, size, weight) <= room) return text;
  let [low, high] = [0, text.length];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (textWidth(`${text.slice(0, middle)}…`, size, weight) <= room) low = middle;
    else high = middle - 1;
  }
  return low ? `${text.slice(0, low)}…` : "";
}

const colours = () => THEMES[view.theme];

// Draws all open parts anew.
function draw() {
  const world = document.getElementById("world");
  const room = roomOf(ROOT);
  view.width = room.width;
  view.height = room.height;
  view.boxes = new Map();
  view.lines = [];
  const layer = svg("g");
  drawScope(layer, ROOT, room, 0, 0, 0);
  world.replaceChildren(layer);
  paint();
}

// Draws what is in an open scope: the lines, then the parts.
function drawScope(layer, number, room, left, top, depth) {
  const part = PARTS[number];
  const rowOf = new Map();
  part.rows.forEach((row, index) => row.forEach((place) => rowOf.set(place, index)));
  const lines = svg("g", { fill: "none", "stroke-linecap": "round" });
  layer.append(lines);
  part.parts.forEach((child, place) => {
    const inner = room.inner[place];
    const row = room.tops[rowOf.get(place)];
    const x = left + room.middles[place] - inner.width / 2;
    const y = top + row.top + (row.height - inner.height) / 2;
    const group = svg("g", { "data-part": child, id: `part-${child}` });
    const label = svg("g", { "data-part": child }); // above the lines that pass through the head of an open scope
    const texts = new Map();
    view.boxes.set(child, { x, y, width: inner.width, height: inner.height, depth, shells: [], texts });
    layer.append(group);
    drawPart(group, label, child, x, y, inner);
    if (inner.inner) drawScope(layer, child, inner, x, y, depth + 1);
    layer.append(label);
  });
  drawLines(lines, number, room, left, top, rowOf);
}

function drawPart(group, label, number, x, y, room) {
  const part = PARTS[number];
  const { shells, texts } = view.boxes.get(number);
  const open = room.inner !== undefined;
  const shell = { x, y, width: room.width, height: room.height, rx: open ? 10 : part.kind ? room.height / 2 : 6 };
  if (part.repeat !== undefined && !open) {
    for (const step of [6, 3]) shells.push(svg("rect", { ...shell, x: x + step, y: y + step }));
  }
  shells.push(svg("rect", shell));
  group.append(...shells);
  const text = (attributes, role) => {
    const made = svg("text", { "font-family": FONT, ...attributes });
    texts.set(role, made);
    label.append(made);
  };
  if (isScope(number)) {
    const [cx, cy] = [x + 14, y + (open ? 20 : 17)];
    const points = open ? `${cx - 4},${cy - 2} ${cx + 4},${cy - 2} ${cx},${cy + 4}` : `${cx - 2},${cy - 4} ${cx + 4},${cy} ${cx - 2},${cy + 4}`;
    const button = svg("g", { "data-toggle": number, class: "toggle" });
    button.append(svg("rect", { x: cx - 12, y: cy - 13, width: 26, height: 26, fill: "transparent" }));
    const chevron = svg("polygon", { points });
    texts.set("chevron", chevron);
    button.append(chevron);
    label.append(button);
  }
  const indent = isScope(number) ? 28 : 12;
  if (part.kind) {
    text({ x: x + room.width / 2, y: y + 16, "text-anchor": "middle", "font-size": 12, "font-weight": 600 }, "terminal");
  } else if (part.small && !open) {
    text({ x: x + indent, y: y + 16, "font-size": 12 }, "name");
    text({ x: x + room.width - 10, y: y + 16, "font-size": 11, "text-anchor": "end" }, "kind");
  } else if (open) {
    const halo = { "stroke-width": 4, "stroke-linejoin": "round", "paint-order": "stroke" }; // readable where a line passes
    text({ x: x + indent, y: y + 24, "font-size": 14, "font-weight": 600, ...halo }, "name");
    text({ x: x + indent, y: y + 41, "font-size": 11, ...halo }, "kind");
  } else {
    text({ x: x + indent, y: y + 18, "font-size": 13, "font-weight": 600 }, "name");
    text({ x: x + room.width - 12, y: y + 18, "font-size": 12, "text-anchor": "end" }, "share");
    text({ x: x + indent, y: y + 35, "font-size": 11 }, "kind");
    text({ x: x + room.width - 12, y: y + 35, "font-size": 11, "text-anchor": "end" }, "value");
  }
}

// Where lines end at the top or the bottom of a part: at its own entry if it is open; else side by side.
function endsOf(number, room) {
  const part = PARTS[number];
  const ends = new Map();
  for (const side of ["in", "out"]) {
    const byPart = new Map();
    for (const [way, value] of part.lines) {
      const place = side === "in" ? way.at(-1) : way[0];
      const other = side === "in" ? way.at(-2) : way[1];
      if (place >= part.parts.length || room.inner[place].inner) continue;
      if (!byPart.has(place)) byPart.set(place, new Map());
      byPart.get(place).set(value, Math.min(byPart.get(place).get(value) ?? Infinity, room.middles[other]));
    }
    for (const [place, values] of byPart) {
      const sorted = [...values].sort((a, b) => a[1] - b[1]);
      const step = Math.min(22, (room.inner[place].width - 30) / sorted.length);
      const apart = side === "in" ? step : 0; // what leaves is one value nearly always
      sorted.forEach(([value], index) => ends.set(`${side} ${place} ${value}`, (index - (sorted.length - 1) / 2) * apart));
    }
  }
  return ends;
}

function drawLines(layer, number, room, left, top, rowOf) {
  const part = PARTS[number];
  const ends = endsOf(number, room);
  const at = (place, value, side) => {
    const inner = room.inner[place];
    const row = room.tops[rowOf.get(place)];
    const x = left + room.middles[place];
    if (!inner) return { x, y: top + row.top + (side === "in" ? 0 : row.height) };
    const port = (side === "in" ? inner.ins : inner.outs).get(value) ?? ends.get(`${side} ${place} ${value}`) ?? 0;
    const y = top + row.top + (row.height - inner.height) / 2;
    return { x: x + port, y: side === "in" ? y : y + inner.height };
  };
  for (const [way, value, kind] of part.lines) {
    let path = "";
    let end;
    for (let index = 1; index < way.length; index++) {
      const start = at(way[index - 1], value, "out");
      end = at(way[index], value, "in");
      const comesIn = index === 1 && way[0] >= part.parts.length; // through the head of its scope, straight
      path += index > 1 ? `L${start.x},${start.y}` : comesIn ? `M${start.x},${top}V${start.y}` : `M${start.x},${start.y}`;
      const middle = (start.y + end.y) / 2;
      path += Math.abs(start.x - end.x) < 0.5 ? `L${end.x},${end.y}` : `C${start.x},${middle} ${end.x},${middle} ${end.x},${end.y}`;
    }
    const line = svg("path", { d: path });
    layer.append(line);
    const last = way.at(-1);
    const head = last < part.parts.length ? part.parts[last] : -1;
    const made = { line, value, head, kind };
    view.lines.push(made);
    if (head >= 0 && !room.inner[last].inner) {
      const { x, y } = end;
      made.arrow = svg("path", { d: `M${x - 3.5},${y - 6}L${x + 3.5},${y - 6}L${x},${y}Z` });
      layer.append(made.arrow);
    }
  }
}

// Colours and labels every part that is drawn, for the figures as they are.
function paint() {
  const theme = colours();
  const quantity = quantityOf(state.color);
  const { unit } = QUANTITIES[quantity];
  const closed = [...view.boxes.keys()].filter((number) => !PARTS[number].kind && !(isScope(number) && state.open.has(number)));
  const amounts = new Map(closed.map((number) => [number, valueOf(number, quantity)]));
  const largest = [...amounts.values()].reduce((best, value) => (value === null ? best : best === null ? value : larger(best, value)), null);
  document.getElementById("view").style.background = theme.paper;
  for (const [number, box] of view.boxes) {
    const part = PARTS[number];
    const open = isScope(number) && state.open.has(number);
    const heat = largest === null || !amounts.has(number) ? null : quotient(amounts.get(number), largest);
    const step = Math.round(Math.min(Math.max(heat ?? 0, 0), 1) * STEPS);
    const [fill, ink] = part.uncosted ? [theme.paper, theme.alarm] : CONTENT.colours[view.theme][step];
    const look = open || part.kind ? { name: theme.ink, muted: theme.muted } : { name: ink, muted: heat < 0.05 ? theme.muted : ink };
    paintShells(box, { open, fill, number, theme, part });
    const told = textsOf(number, box, { open, quantity, unit });
    for (const [role, made] of box.texts) {
      if (role !== "chevron" && made.textContent !== told[role]) made.textContent = told[role];
      set(made, "fill", role === "name" || role === "share" || role === "chevron" ? look.name : look.muted);
      if (open && role !== "chevron") set(made, "stroke", theme.scopes[box.depth % 2]);
    }
  }
  paintLines(theme);
  sayParts();
  showLegend(largest, quantity);
}

// What the colours mean: the largest value of the parts that are drawn has the strongest.
function showLegend(largest, quantity) {
  const { unit, title, ratio, max: isLargest } = QUANTITIES[quantity];
  const repeated = !ratio && PARTS.some(({ repeat }) => repeat !== undefined && state.figures?.[repeat] > 1n);
  const scale = svg("svg", { width: 90, height: 10 });
  for (let step = 0; step < 18; step++) {
    const [fill] = CONTENT.colours[view.theme][Math.round((step / 17) * STEPS)];
    scale.append(svg("rect", { x: step * 5, width: 5, height: 10, fill }));
  }
  const line = svg("svg", { width: 22, height: 10 });
  line.append(svg("path", { d: "M1,5H21", stroke: colours().residual, "stroke-width": 2.2 }));
  const over = repeated ? (isLargest ? ", the largest of repetitions" : ", repetitions summed") : "";
  view.legend = largest === null ? null : [`${title}: 0`, scale, human(largest, unit) + over];
  const children = view.legend ? [element("span", {}, ...view.legend)] : [];
  const around = view.lines.some(({ kind }) => kind === 1) ? [element("span", {}, line, "residual")] : [];
  document.getElementById("legend").replaceChildren(...children, ...around);
}

// Sets an attribute that has another value.
function set(made, name, value) {
  if (made.getAttribute(name) !== String(value)) made.setAttribute(name, value);
}

// What stands in a part.
function textsOf(number, box, { open, quantity, unit }) {
  const part = PARTS[number];
  if (part.kind) return { terminal: terminalText(part) };
  const share = percent(shareOf(number, quantity));
  const value = human(valueOf(number, quantity), unit);
  const small = part.small && !open;
  const size = small ? 12 : open ? 14 : 13;
  const room = box.width - (isScope(number) ? 28 : 12) - 20;
  const repeat = part.repeat === undefined || !state.figures ? "" : ` ×${exact(state.figures[part.repeat])}`;
  const beside = open ? 0 : small ? Math.min(textWidth(part.operator ?? "", 11, 400), 80) : textWidth(share, 12, 400);
  const name = fitted(signOf(number) + nameOf(part), room - beside - textWidth(repeat, size, 600), size, 600) + repeat;
  const kind = open ? [share, value, kindOf(number)].filter(Boolean).join(" · ") : kindOf(number);
  const left = room - (small ? textWidth(name, 12, 600) : open ? 0 : textWidth(value, 11, 400));
  return { name, share, value, kind: fitted(kind, left, 11, 400) };
}

const terminalText = (part) => `${part.kind === "output" ? "output" : part.name} ${shapeText(part.shape, part.dtype)}`;

const signOf = (number) => SIGNS[changeOf(number)] ?? "";
const nameOf = (part) => (part.entry ? `${part.name} (${part.entry})` : part.name);

function paintShells(box, { open, fill, number, theme, part }) {
  const chosen = number === state.selected;
  for (const shell of box.shells) {
    set(shell, "fill", open ? theme.scopes[box.depth % 2] : part.kind ? theme.paper : fill);
    const change = open ? "" : changeOf(number);
    if (change) set(shell, "stroke-dasharray", change === "removed" ? "6 4" : "none");
    set(shell, "stroke", chosen ? theme.chosen : change ? theme[change] : part.uncosted ? theme.alarm : open || part.kind ? theme.faint : theme.line);
    set(shell, "stroke-width", chosen ? 3 : change ? 2.2 : 1);
    if (part.uncosted) set(shell, "stroke-dasharray", "4 3");
  }
}

function paintLines(theme) {
  for (const { line, arrow, value, head, kind } of view.lines) {
    const near = value === state.selected || head === state.selected;
    const colour = near ? theme.chosen : [theme.line, theme.residual, theme.faint][kind];
    set(line, "stroke", colour);
    set(line, "stroke-width", near || kind === 1 ? 2.2 : 1.3);
    if (arrow) set(arrow, "fill", colour);
  }
}
