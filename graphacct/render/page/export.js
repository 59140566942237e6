// The view as a file and on paper.

const ABOVE = 66; // the model, its totals, and what the colours mean

// The view as an SVG file: all that is drawn, with the model and its totals above.
function viewAsSvg() {
  const theme = colours();
  const totals = [...document.querySelectorAll("#totals .total")].map((each) => each.textContent).join(" · ");
  const sizes = SIZES.filter((size) => !size.config).map((size, index) => `${size.name} ${state.sizes[index]}`).join(", ");
  const told = [totals, sizes].filter(Boolean).join(" · ");
  const width = Math.max(view.width, textWidth(CONTENT.model, 16, 600), textWidth(told, 12, 400)) + 2 * PADDING;
  const height = view.height + 2 * PADDING + ABOVE;
  const made = svg("svg", { xmlns: SVG, width, height, viewBox: `0 0 ${width} ${height}` });
  made.append(svg("title", {}, CONTENT.model), svg("rect", { width, height, fill: theme.paper }));
  made.append(svg("text", { x: PADDING, y: 30, "font-family": FONT, "font-size": 16, "font-weight": 600, fill: theme.ink }, CONTENT.model));
  const small = { "font-family": FONT, "font-size": 12, fill: theme.muted };
  made.append(svg("text", { x: PADDING, y: 48, ...small }, told));
  if (view.legend) {
    const [least, scale, most] = view.legend;
    const x = PADDING + textWidth(least, 12, 400) + 8;
    const colours = scale.cloneNode(true);
    set(colours, "x", x);
    set(colours, "y", 58);
    made.append(svg("text", { x: PADDING, y: 67, ...small }, least), colours, svg("text", { x: x + 98, y: 67, ...small }, most));
  }
  const world = document.getElementById("world").firstChild.cloneNode(true);
  world.setAttribute("transform", `translate(${PADDING} ${PADDING + ABOVE})`);
  for (const each of world.querySelectorAll("*")) {
    for (const name of [...each.attributes].map((attribute) => attribute.name)) {
      if (/^(class|id|role|data-.*|aria-.*)$/.test(name)) each.removeAttribute(name);
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
