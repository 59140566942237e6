// What the page shows, what its reader has chosen, and every figure for the sizes as they are now.

const CONTENT = JSON.parse(document.getElementById("content").textContent);
const { parts: PARTS, quantities: QUANTITIES, sizes: SIZES } = CONTENT;
const ROOT = 0;
const state = {
  sizes: SIZES.map((size) => BigInt(size.value)),
  color: CONTENT.color,
  open: new Set(CONTENT.open),
  selected: ROOT,
  branch: -1, // of the rules, that speaks for these sizes; -1 if none does
  figures: null, // the table of formulas at these sizes; null if no branch speaks for them
  rows: [], // of each part the sums of its quantities
};

const isScope = (number) => PARTS[number].parts !== undefined;
const quantityOf = (name) => QUANTITIES.findIndex((quantity) => quantity.name === name);

function holds(guard) {
  try {
    return guard();
  } catch (error) {
    if (error instanceof RangeError) return false; // a division by zero: another guard says that it is not this branch
    throw error;
  }
}

// The guards of a region that are not as they were when it was traced, by their places.
function failing(region, sizes) {
  let guards;
  if (!holds(() => (guards = region(sizes)))) return [0];
  return guards.flatMap((met, place) => (met ? [] : [place]));
}

// Computes everything for the sizes of the state.
function compute() {
  const failed = BRANCHES.map(({ regions }) => regions.map((region) => failing(region, state.sizes)));
  state.branch = failed.findIndex((regions) => regions.some((places) => places.length === 0));
  state.figures = state.branch < 0 ? null : BRANCHES[state.branch].figures(state.sizes);
  state.rows = state.figures ? sums() : [];
  state.unmet = state.figures ? [] : nearest(failed);
}

// What does not hold in the region where the fewest guards fail, in words.
function nearest(failed) {
  const regions = failed.flatMap((each, branch) => each.map((places, region) => ({ places, texts: CONTENT.regions[branch][region] })));
  const { places, texts } = regions.reduce((best, each) => (each.places.length < best.places.length ? each : best));
  return places.map((place) => CONTENT.conditions[texts[place]]);
}

// The quantities of every part: of a node its own, of a scope what its nodes add up to.
function sums() {
  const additive = QUANTITIES.filter((quantity) => !quantity.ratio);
  const rows = PARTS.map((part) =>
    part.figures ? part.figures.map((figure) => state.figures[figure]) : additive.map(() => 0n),
  );
  for (let number = PARTS.length - 1; number > ROOT; number--) {
    const around = rows[PARTS[number].in];
    additive.forEach(({ max: isLargest }, place) => {
      around[place] = (isLargest ? larger : plus)(around[place], rows[number][place]);
    });
  }
  return rows;
}

// A quantity of a part; null if it has none, or if no branch speaks for these sizes.
function valueOf(number, quantity) {
  const row = state.rows[number];
  if (!row) return null;
  if (!QUANTITIES[quantity].ratio) return row[quantity];
  const ratio = RATIOS[`$${QUANTITIES[quantity].name}`];
  try {
    return ratio ? ratio(row) : null;
  } catch (error) {
    if (error instanceof RangeError) return null; // it divides by zero
    throw error;
  }
}

// A quantity of a part as a fraction of the model's, from 0 to 1; null for what does not add up.
function shareOf(number, quantity) {
  const { max: isLargest, ratio } = QUANTITIES[quantity];
  if (isLargest || ratio) return null;
  return quotient(valueOf(number, quantity), valueOf(ROOT, quantity));
}

function quotient(value, whole) {
  if (value === null || whole === null) return null;
  const [[a, b], [c, d]] = [pair(value), pair(whole)];
  return c === 0n ? null : Number((a * d * 10n ** 15n) / (b * c)) / 1e15;
}

// How often a scope is run, together with those around it: its numbers are sums over all of that. 1n for what is once.
function repetitionsOf(number) {
  const repeats = state.figures ? [number, ...scopesAround(number)].map((each) => PARTS[each].repeat) : [];
  return repeats.reduce((product, figure) => (figure === undefined ? product : product * state.figures[figure]), 1n);
}

// What a quantity of a part is over its repetitions, in words.
function overRepetitions(number, quantity) {
  const { runs } = PARTS[number];
  const count = isScope(number) ? repetitionsOf(number) : runs === undefined || !state.figures ? 1n : state.figures[runs];
  const { max: isLargest, ratio } = QUANTITIES[quantity];
  return count === 1n || ratio ? "" : `${isLargest ? "the largest of" : "summed over"} ${exact(count)} ${isScope(number) ? "repetitions" : "runs"}`;
}

function scopesAround(number) {
  const found = [];
  while (number !== ROOT) found.push((number = PARTS[number].in));
  return found;
}
