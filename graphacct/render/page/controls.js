// Zoom and pan, opening and closing, choosing, the theme.

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
  view.scale = Math.min(whole ? Math.min(wide, high) : Math.max(Math.min(wide, 1), MARKS ? 0.4 : 0.55), 1.25);
  if (!whole) endBetween(height - PADDING);
  view.x = width / 2 - (view.width * view.scale > width ? middleOfMost() : view.width / 2) * view.scale;
  view.y = view.height * view.scale < height ? (height - view.height * view.scale) / 2 : PADDING;
  place();
}

// Scales a view that begins at the top, a little smaller, so that no closed part is cut at its lower edge if that helps.
function endBetween(height) {
  const closed = [...view.boxes].filter(([number]) => !(isScope(number) && state.open.has(number))).map(([, box]) => box);
  for (let scale = view.scale; scale > 0.85 * view.scale; scale *= 0.99) {
    const end = height / scale;
    if (closed.some(({ y, height: tall }) => y < end && y + tall > end)) continue;
    view.scale = scale;
    return;
  }
}

// The middle of the highest part that is not in another: where a view is wider than its place, that one is seen.
function middleOfMost() {
  const outer = [...view.boxes.values()].filter(({ depth }) => depth === 0);
  const highest = outer.reduce((best, box) => (box.height > best.height ? box : best));
  return highest.x + highest.width / 2;
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
  const number = Number(part.dataset.part);
  tip.replaceChildren(...tipOf(number));
  const box = view.boxes.get(number).shells.at(-1).getBoundingClientRect();
  const beside = box.right + 8 + tip.offsetWidth < innerWidth ? box.right + 8 : Math.max(box.left - tip.offsetWidth - 8, 4);
  tip.style.left = `${beside}px`;
  tip.style.top = `${Math.min(Math.max(event.clientY - 20, 4), innerHeight - tip.offsetHeight - 4)}px`;
}

function setTheme(theme) {
  view.theme = theme;
  document.documentElement.dataset.theme = theme;
  if (view.boxes.size) paint();
}

function switchTheme() {
  setTheme(view.theme === "light" ? "dark" : "light");
  tellOthers();
}

function toggleHelp(shownNow) {
  const help = document.getElementById("help");
  help.hidden = shownNow === undefined ? !help.hidden : !shownNow;
}
