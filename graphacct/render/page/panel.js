// The panel beside the picture: the numbers of the chosen part, with formula, values and source.

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value !== false && value !== null) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== ""));
  return made;
}

const NAME = /[A-Za-z_]\w*/g;
const STEP = "step_flops"; // what the forward pass takes, and these parts
const RATIO_ROLES = new Set(["flops", "macs"]);

// A formula with the values of its names put in.
function substituted(formula, names) {
  return formula.replace(NAME, (name) => (name in names ? exact(state.figures[names[name]]) : name));
}

// The formula of one pass through a node, and with values put in; null if none is known to hold at these sizes.
function formulaOf(number, name) {
  const part = PARTS[number];
  if (name === "flops") return ["matmul_flops + vector_flops", ""];
  if (name === "macs") return ["matmul_flops / 2", ""];
  if (name === "params" && part.owned) {
    const shapes = part.owned.map(([, operand]) => part.operands[operand][3].map((figure) => exact(state.figures[figure])).join(" · "));
    return [part.owned.map(([parameter]) => parameter).join(" + "), shapes.join(" + ")];
  }
  const found = part.formulas?.[name];
  if (!found || (found[1] && !found[1].includes(state.branch))) return null;
  const values = substituted(withoutLimits(found[0]), part.names ?? {});
  return [found[0], values === found[0] ? "" : values];
}

// The formula of a figure in the sizes of the model, for the branch of the rules that holds.
function closedFormula(number, quantity) {
  return closedText(PARTS[number].figures?.[quantity]);
}

function closedText(figure) {
  const texts = CONTENT.texts[figure];
  const text = texts ? texts[texts.length === 1 ? 0 : state.branch] : null;
  return typeof text === "number" ? `a sum of ${text} products of sizes, too long to be read` : text;
}

// In training: the parts of a node's quantity, as gradients of operands; each with its formula in the operator's names
// or, where that is not proven, in the model's sizes.
function workLines(number, name) {
  const belongs = ([quantity, of]) => (of ? [`${quantity}_${of}`, `${quantity}_flops`].includes(name) || (name === STEP && quantity !== "optimizer") : quantity === name);
  const works = (PARTS[number].work ?? []).filter(belongs);
  return works.map(([, , subject, each, times, formula, names]) => {
    const [one, count] = [exact(state.figures[each]), state.figures[times]];
    const steps = formula ? [formula, substituted(withoutLimits(formula), names)] : [closedText(each)];
    const texts = [...new Set([...steps, one])].filter(Boolean);
    return [subject, texts.join(" = ") + (count === 1n ? "" : `, ${exact(count)} times`)];
  });
}

// A formula without the sizes for which it holds: `k · n (for k > 1)`.
const withoutLimits = (formula) => formula.replace(/ \(for .*\)$/, "");

// In training: the tensors that a node's backward pass needs.
function keptRows(number) {
  return (PARTS[number].kept ?? []).map(([name, source, why, counted, bytes]) => {
    const amount = counted || human(state.figures?.[bytes] ?? null, "byte");
    const from = source && source !== name ? element("div", { class: "path" }, source) : "";
    return element("tr", {}, element("th", {}, name), element("td", {}, from, element("div", {}, amount), element("div", { class: "note" }, why)));
  });
}

function quantityRow(number, place) {
  const quantity = QUANTITIES[place];
  const part = PARTS[number];
  const value = valueOf(number, place);
  const share = number === ROOT ? "" : percent(shareOf(number, place));
  const head = [
    element("span", { class: "title", title: quantity.doc }, quantity.title),
    element("span", { class: "share" }, share),
    element("span", { class: "value", title: quantity.name }, human(value, quantity.unit)),
  ];
  const lines = [];
  const line = (label, text) => text && lines.push(element("div", { class: "line" }, element("span", { class: "label" }, label), element(label === "what" || label === "is" ? "span" : "code", {}, text)));
  if (state.figures && value !== null) {
    const formula = part.figures && value !== 0n ? formulaOf(number, quantity.name) : null;
    if (formula) {
      line("formula", formula[0]);
      line("values", formula[1]);
    }
    if (part.figures && !quantity.ratio) line("in sizes", closedFormula(number, place));
    for (const [subject, text] of workLines(number, quantity.name)) line(subject, text);
    if (quantity.ratio || part.figures === undefined) line("is", quantity.ratio ? quantity.doc.replace(/^.*: /, "").replace(/\.$/, "") : [`the ${quantity.max ? "largest" : "sum"} of its parts`, overRepetitions(number, place)].filter(Boolean).join(", "));
    const runs = part.runs === undefined ? 1n : state.figures[part.runs];
    line("exactly", `${exact(value)}${formula && runs !== 1n && !RATIO_ROLES.has(quantity.name) && quantity.name !== "params" ? `, in ${exact(runs)} runs` : ""}`);
    line("what", quantity.doc);
  }
  const row = element("details", { class: "quantity", "data-quantity": quantity.name }, element("summary", {}, ...head), ...lines);
  row.open = shown.has(quantity.name);
  row.addEventListener("toggle", () => (row.open ? shown.add(quantity.name) : shown.delete(quantity.name)));
  return row;
}

const shown = new Set(); // the quantities whose formulas are unfolded

function tensorRow(label, [, name, dtype, shape, stored]) {
  const text = `${dtype}${shapeText(shape)}${stored ? `, stored as ${stored}` : ""}`;
  return element("tr", {}, element("th", {}, label), element("td", {}, element("div", { class: "path" }, name), element("code", {}, text)));
}

function showPanel() {
  const number = state.selected;
  const part = PARTS[number];
  const panel = document.getElementById("details");
  const told = [
    part.operator ?? (part.kind ? `${part.kind} of the model` : number === ROOT ? "the whole model" : nodesText(number)),
    part.kind ? "" : overRepetitions(number, quantityOf("flops")),
  ];
  const children = [
    element("h2", {}, nameOf(part)),
    part.path && part.path !== part.name ? element("div", { class: "path", id: "path" }, part.path) : "",
    element("div", { class: "kind" }, told.filter(Boolean).join(" · ")),
  ];
  children.push(...changeRows(number));
  if (part.uncosted) children.push(element("p", { class: "alarm" }, "No cost: nothing registered can cost this operator; it is in no total."));
  if (!part.kind) {
    const rows = QUANTITIES.map((quantity, place) => place).filter((place) => valueOf(number, place) !== 0n && !QUANTITIES[place].twin);
    children.push(element("div", { class: "quantities" }, ...rows.map((place) => quantityRow(number, place))));
  } else children.push(element("p", {}, element("code", {}, `${part.dtype}${shapeText(part.shape)}`)));
  if (part.operands || part.gives) {
    const rows = [...(part.operands ?? []).map((each) => tensorRow(each[0], each)), ...(part.gives ?? []).map((each) => tensorRow("gives", each))];
    children.push(element("h3", {}, "Tensors"), element("table", { class: "tensors" }, ...rows));
  }
  const kept = keptRows(number);
  if (kept.length) children.push(element("h3", {}, "Kept for the backward pass"), element("table", { class: "tensors" }, ...kept));
  const tied = CONTENT.ties.flatMap(([a, b]) => (a === number ? [b] : b === number ? [a] : []));
  if (tied.length) children.push(element("p", {}, "Shares a parameter with ", ...tied.map(partLink)));
  if (isScope(number)) children.push(...biggestParts(number));
  const operator = CONTENT.operators[part.operator];
  if (operator) children.push(element("h3", {}, "Source"), ...sourceOf(operator));
  if (number === ROOT) children.push(...countedRows());
  panel.replaceChildren(...children.filter((child) => child !== ""));
}

// What the numbers are of, and what they do not say.
function countedRows() {
  const notes = CONTENT.phase === "train" ? ["Of a training step. A number that does not name gradients, the step or the backward pass is of the forward pass."] : [];
  const lines = [...CONTENT.terms, ...notes].map((line) => element("p", { class: "note" }, line));
  const command = commandNow();
  const memory = CONTENT.typed && command.startsWith("graphacct report ") ? element("p", { class: "note" }, "All memory together, with what takes it: ", element("code", { id: "memory" }, command.replace("report", "memory").replace(/ --(convention|mask) \S+/g, ""))) : "";
  return [element("h3", {}, "Counted"), ...lines, memory];
}

function partLink(number) {
  return element("button", { class: "link", type: "button", click: () => reveal(number) }, PARTS[number].path || nameOf(PARTS[number]));
}

// The parts of a scope by the quantity that colours them, the largest first.
function biggestParts(number) {
  const quantity = quantityOf(state.color);
  const rows = PARTS[number].parts
    .filter((child) => !PARTS[child].kind)
    .map((child) => [child, shareOf(child, quantity) ?? quotient(valueOf(child, quantity), valueOf(number, quantity)) ?? 0])
    .sort((a, b) => b[1] - a[1]);
  const most = Math.max(...rows.map(([, share]) => share), 0);
  const made = rows.slice(0, 12).map(([child, share]) => {
    const bar = element("span", { class: "bar" });
    bar.style.width = most > 0 && share > 0 ? `${Math.max((100 * share) / most, 0.5)}%` : "0";
    const value = human(valueOf(child, quantity), QUANTITIES[quantity].unit);
    return element("button", { class: "part", type: "button", click: () => reveal(child) }, bar, element("span", { title: PARTS[child].path ?? "" }, nameOf(PARTS[child])), element("span", { class: "value" }, value));
  });
  if (rows.length > made.length) made.push(element("p", { class: "note" }, `and ${rows.length - made.length} more`));
  return [element("h3", {}, `Parts by ${QUANTITIES[quantity].title}`), ...made];
}

function sourceOf(operator) {
  return [
    element("p", { class: "note" }, operator.source),
    CONTENT.phase === "train" && operator.gradient ? element("p", { class: "note" }, operator.gradient) : "",
    operator.signature ? element("p", {}, element("code", {}, operator.signature)) : "",
    element("p", { class: "note" }, `from ${operator.from}`),
  ].filter((child) => child !== "");
}

// What a pointer over a part shows.
function tipOf(number) {
  const part = PARTS[number];
  const quantity = quantityOf(state.color);
  const { unit, name } = QUANTITIES[quantity];
  const formula = part.figures && state.figures ? formulaOf(number, name) ?? formulaOf(number, "matmul_flops") : null;
  const share = percent(shareOf(number, quantity));
  return [
    element("strong", {}, part.path || nameOf(part)),
    element("div", {}, part.kind ? shapeText(part.shape, part.dtype) : kindOf(number)),
    part.kind ? "" : element("div", {}, [human(valueOf(number, quantity), unit), share].filter(Boolean).join(" · ")),
    part.kind ? "" : element("div", {}, overRepetitions(number, quantity)),
    formula ? element("code", {}, formula.filter(Boolean).join(" = ")) : "",
  ].filter((child) => child !== "");
}
