// On a page of a diff: what differs from the other model, and what is done there too.

const MARKS = CONTENT.marks ?? null;
const SIGNS = { added: "+ ", removed: "− ", changed: "± " };

// How a part differs: its own mark; of a scope the kind of all that is in it, or `changed` if some of it differs.
const KINDS_OF_CHANGE = PARTS.map((part) => (MARKS && part.mark !== undefined ? MARKS[part.mark].kind : part.kind ? "none" : ""));
if (MARKS) {
  for (let number = PARTS.length - 1; number >= ROOT; number--) {
    if (!isScope(number)) continue;
    const kinds = new Set(PARTS[number].parts.map((child) => KINDS_OF_CHANGE[child]).filter((kind) => kind !== "none"));
    KINDS_OF_CHANGE[number] = kinds.size === 1 ? [...kinds][0] : kinds.size ? "changed" : "none";
  }
}

const changeOf = (number) => (MARKS && number !== ROOT && SIGNS[KINDS_OF_CHANGE[number]] ? KINDS_OF_CHANGE[number] : "");

// What the panel says of a part's difference.
function changeRows(number) {
  const kind = changeOf(number);
  if (!kind) return [];
  const mark = MARKS[PARTS[number].mark];
  const says = mark ? mark.says : kind === "changed" ? "some of it differs" : { added: "only in B", removed: "only in A" }[kind];
  const rows = (mark?.rows ?? []).map(([name, text]) => element("tr", {}, element("th", {}, name), element("td", {}, text)));
  return [element("div", { class: `change ${kind}` }, SIGNS[kind] + says), ...(rows.length ? [element("table", { class: "tensors" }, ...rows)] : [])];
}

let following = true; // until the page has started, and while it does what the other one did

// Tells the page around that this frame looks different now.
function tellOthers() {
  if (!MARKS || following || parent === window) return;
  const scopes = PARTS.flatMap((part, number) => (isScope(number) ? [[part.path, state.open.has(number)]] : []));
  parent.postMessage({ graphacct: { scopes, part: PARTS[state.selected].path, color: state.color, theme: view.theme } }, "*");
}

// Does what was done in the other frame, as far as this model has the same parts.
function listenToOthers() {
  if (!MARKS) return;
  following = false;
  addEventListener("message", (event) => {
    const told = event.data?.graphacct;
    if (!told || event.source !== parent) return;
    following = true;
    const open = new Map(told.scopes);
    PARTS.forEach(({ path }, number) => {
      if (!isScope(number) || !open.has(path)) return;
      if (open.get(path)) state.open.add(number);
      else state.open.delete(number);
    });
    state.color = quantityOf(told.color) >= 0 ? told.color : state.color;
    document.getElementById("color").value = state.color;
    if (told.theme !== view.theme) setTheme(told.theme);
    draw();
    showTotals();
    const same = PARTS.findIndex((part, number) => number !== ROOT && part.path === told.part);
    if (same > ROOT) reveal(same);
    else if (!told.part) select(ROOT);
    following = false;
  });
}
