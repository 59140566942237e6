// The permalink.

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
  tellOthers();
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
