// Puts the page together.

const HELP = [
  ["click, double-click", "choose a part; open or close a scope"],
  ["arrows, Enter", "go through the parts; open or close"],
  ["drag, wheel", "move; with Ctrl zoom"],
  ["+  −  f", "zoom in, out, fit"],
  ["e  c", "open everything; the first view again"],
  ["/", "search"],
  ["d  s", "dark or light; save this view as SVG"],
  ["↑ ↓ in a size", "one more or less; with Shift double or half"],
];

function makePage() {
  const button = (id, label, title, click) => element("button", { id, type: "button", title, "aria-label": title, click }, label);
  const options = QUANTITIES.filter(({ twin, name }) => !twin || name === CONTENT.color).map((quantity) => element("option", { value: quantity.name }, quantity.title));
  const field = element("input", { id: "search", type: "search", placeholder: "Search  /", "aria-label": "Search parts", autocomplete: "off", input: search, focus: search });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") search()?.();
    if (event.key === "Escape") {
      field.value = "";
      search();
      stage().focus();
    }
  });
  const picture = svg("svg", { id: "view", tabindex: 0, role: "tree", "aria-label": `The parts of ${CONTENT.model}` });
  picture.append(svg("g", { id: "world" }));
  document.body.append(
    element(
      "header", {},
      element("h1", {}, CONTENT.model),
      element("div", { id: "totals", "aria-live": "polite" }),
      element("div", { class: "tools" },
        element("label", { class: "color" }, "Colour ", element("select", { id: "color", change: (event) => recolour(event.target.value) }, ...options)),
        element("div", { class: "search" }, field, element("div", { id: "found", hidden: true })),
        button("theme", "◐", "Dark or light (d)", switchTheme),
        button("export", "SVG", "Save this view as SVG (s)", exportView),
        button("ask", "?", "Keys (?)", () => toggleHelp()),
      ),
      element("div", { id: "of" }, CONTENT.of),
    ),
    element("div", { id: "notice", role: "alert", hidden: true }),
    element("main", {},
      element("div", { id: "picture" }, picture,
        element("div", { class: "zoom" },
          button("in", "+", "Zoom in (+)", () => zoom(1.25)), button("out", "−", "Zoom out (-)", () => zoom(0.8)), button("fit", "Fit", "Fit (f)", () => fit()),
          button("all", "Open all", "Open everything (e)", openAll), button("first", "First view", "The first view (c)", () => openFirst()),
        ),
        element("div", { id: "legend" })),
      element("aside", { id: "panel", "aria-label": "Sizes and numbers" }, element("section", { id: "sizes" }), element("section", { id: "details" })),
    ),
    element("div", { id: "tip", hidden: true }),
    element("div", { id: "help", role: "dialog", hidden: true, click: () => toggleHelp(false) }, element("h2", {}, "Keys"), element("dl", {}, ...HELP.flatMap(([keys, text]) => [element("dt", {}, keys), element("dd", {}, text)]))),
  );
}

function recolour(name) {
  state.color = name;
  showTotals();
  paint();
  showPanel();
  writeLink();
}

function start() {
  if (MARKS) document.documentElement.dataset.diff = "";
  makePage();
  makeSizes();
  const dark = matchMedia("(prefers-color-scheme: dark)");
  setTheme(dark.matches ? "dark" : "light");
  dark.addEventListener("change", () => setTheme(dark.matches ? "dark" : "light"));
  readLink();
  compute();
  draw();
  fit(false);
  changed();
  if (state.selected !== ROOT) reveal(state.selected);
  listenToPointers();
  listenToKeys();
  listenToPrinter();
  listenToOthers();
  addEventListener("hashchange", () => {
    if (location.hash.slice(1) === linkNow()) return;
    readLink();
    compute();
    draw();
    changed();
  });
}

start();
