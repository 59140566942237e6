// The view as a file and on paper.

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
