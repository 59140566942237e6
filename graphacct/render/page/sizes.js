// The sizes that the reader may change, and what the page says where no formula here is for them.

const inputs = [];

function makeSizes() {
  const fields = SIZES.map((size, place) => {
    const id = `size-${place}`;
    if (size.fixed) {
      return element("div", { class: "size fixed", title: `${size.name}: ${size.fixed}` }, element("span", {}, element("bdi", {}, size.name)), element("span", {}, exact(BigInt(size.value)), " ", element("small", {}, "fixed")));
    }
    const input = element("input", {
      id, type: "text", inputmode: "numeric", autocomplete: "off", spellcheck: "false", value: String(size.value),
      input: () => typed(place), keydown: (event) => stepped(event, place),
    });
    inputs[place] = input;
    const step = (sign, factor) => element("button", { type: "button", tabindex: -1, title: factor > 0 ? `double ${size.name}` : `halve ${size.name}`, click: () => scaledBy(place, factor) }, sign);
    const fault = element("p", { id: `${id}-fault`, class: "fault", role: "alert", hidden: true });
    return element("div", {}, element("div", { class: "size" }, element("label", { for: id, title: size.key ? `${size.name}, and ${size.key}: the model has learned positions for one size` : size.name }, element("bdi", {}, size.name)), element("span", { class: "field" }, step("÷2", -1), input, step("×2", 1))), fault);
  });
  const own = fields.filter((_, place) => !SIZES[place].config);
  const config = fields.filter((_, place) => SIZES[place].config);
  const children = [element("h2", {}, "Sizes", element("button", { id: "reset", type: "button", click: resetSizes }, "reset")), ...own];
  if (config.length) {
    const more = element("details", { id: "config" }, element("summary", {}, `Model (${config.length})`), ...config);
    more.open = config.length <= 12 && innerHeight > 800;
    children.push(more);
  }
  if (!fields.length) children.push(element("p", { class: "note" }, "The sizes of this graph are fixed."));
  document.getElementById("sizes").replaceChildren(...children);
}

function typed(place) {
  const size = parseSize(inputs[place].value);
  const { name } = SIZES[place];
  const value = inputs[place].value.trim();
  const said = value ? `“${value.slice(0, 40)}” is no ${name}` : `${name} is empty`;
  const way = value.includes(",") ? "it has a comma, which may stand between thousands or between two sizes; write one size" : "a whole number from 1 on";
  sayFault(place, size === null ? `${said}: ${way}, as 4096, 4k (4 × 1024) or 1e6. The numbers here are still those of ${exact(state.sizes[place])}.` : "");
  if (size !== null) setSize(place, size);
}

// What is wrong with a field, below it; nothing if it is right.
function sayFault(place, text) {
  const fault = document.getElementById(`size-${place}-fault`);
  inputs[place].setAttribute("aria-invalid", String(text !== ""));
  if (text) inputs[place].setAttribute("aria-describedby", fault.id);
  else inputs[place].removeAttribute("aria-describedby");
  fault.hidden = text === "";
  fault.textContent = text;
}

function stepped(event, place) {
  const by = { ArrowUp: 1n, ArrowDown: -1n }[event.key];
  if (!by) return;
  event.preventDefault();
  if (event.shiftKey) scaledBy(place, by > 0n ? 1 : -1);
  else if (state.sizes[place] + by > 0n) setSize(place, state.sizes[place] + by, true);
}

function scaledBy(place, factor) {
  const size = factor > 0 ? state.sizes[place] * 2n : state.sizes[place] / 2n;
  if (size > 0n) setSize(place, size, true);
}

function setSize(place, size, write = false) {
  state.sizes[place] = size;
  if (write) writeSize(place);
  changed();
}

function writeSize(place) {
  if (!inputs[place]) return;
  inputs[place].value = state.sizes[place];
  sayFault(place, "");
}

function resetSizes() {
  state.sizes = SIZES.map((size) => BigInt(size.value));
  SIZES.forEach((_, place) => writeSize(place));
  changed();
}

// Shows the figures of the sizes as they are now.
function changed() {
  compute();
  SIZES.forEach((size, place) => inputs[place]?.classList.toggle("changed", state.sizes[place] !== BigInt(size.value)));
  document.getElementById("reset").hidden = SIZES.every((size, place) => state.sizes[place] === BigInt(size.value));
  sayBranch();
  showTotals();
  paint();
  showPanel();
  writeLink();
}

// The command that computes what this page has no formula for. The model's own length may follow from its configuration,
// so that one that is not its own names the sizes of the workload too.
function commandNow() {
  const isOwn = (size, place) => state.sizes[place] === BigInt(size.value);
  const other = SIZES.some((size, place) => size.config && !isOwn(size, place));
  const given = SIZES.flatMap((size, place) => {
    if (isOwn(size, place) && !size.given && (size.config || size.fixed || !other)) return [];
    const value = state.sizes[place];
    if (size.config) return [`--set ${size.name}=${value}`];
    return [`--${size.name.replaceAll("_", "-")} ${value}`, ...(size.key ? [`--set ${size.key}=${value},${value}`] : [])];
  });
  return [CONTENT.command, ...given].join(" ");
}

function sayBranch() {
  const notice = document.getElementById("notice");
  notice.hidden = state.figures !== null;
  if (state.figures) return;
  const conditions = state.unmet.slice(0, 3).join(", ");
  notice.replaceChildren(
    element("strong", {}, "No formula on this page is for these sizes. "),
    `They take another branch of the model's rules, or are refused: the formulas here are for ${conditions}. `,
    ...(CONTENT.typed ? ["For these sizes run ", element("code", { id: "command" }, commandNow())] : ["Write the page again for these sizes,"]),
    " or ",
    element("button", { class: "link", type: "button", click: resetSizes }, "go back to the model's own sizes"),
    ".",
  );
}

function showTotals() {
  const names = ["params", quantityOf("step_flops") < 0 ? "flops" : "step_flops", state.color];
  const shownTotals = [...new Set(names)].map(quantityOf).filter((place) => place >= 0);
  const each = shownTotals.map((place) =>
    element("span", { class: "total", title: exact(valueOf(ROOT, place)) }, element("b", {}, human(valueOf(ROOT, place), QUANTITIES[place].unit)), ` ${QUANTITIES[place].title}`),
  );
  document.getElementById("totals").replaceChildren(...each);
}
