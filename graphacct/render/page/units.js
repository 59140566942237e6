// Figures as a reader wants them: 3.52 TFLOP, 1.56 B, 6.23 GB; three digits, rounded half to even, as the tables do.

const SI = ["", "k", "M", "G", "T", "P", "E", "Z", "Y", "R", "Q"];
const COUNTS = ["", "K", "M", "B", "T"];
const MINUS = "−";

function human(value, unit) {
  if (value === null) return "–";
  if (unit === "%") return percent(quotient(value, 1n));
  const counted = unit === "parameter";
  return scaled(...pair(value), counted ? COUNTS : SI, counted ? "" : unit === "byte" ? "B" : unit);
}

function scaled(above, below, prefixes, unit) {
  if (above < 0n) return MINUS + scaled(-above, below, prefixes, unit);
  if (below === 1n && above < 1000n) return `${above} ${unit}`.trimEnd();
  for (let step = 0; step < prefixes.length; step++) {
    const text = digits(above, below * 1000n ** BigInt(step), 1000n);
    if (text) return `${text} ${prefixes[step]}${unit}`.trimEnd();
  }
  const last = below * 1000n ** BigInt(prefixes.length - 1);
  let exponent = `${above / last}`.length - 1;
  const text = digits(above, last * 10n ** BigInt(exponent), 10n) || "10.0";
  return `${text}e+${exponent} ${prefixes.at(-1)}${unit}`.trimEnd();
}

// Three digits of a number below `base`; empty if it rounds up to it.
function digits(above, below, base) {
  for (const [decimals, limit] of [[2, 10n], [1, 100n], [0, base]]) {
    const factor = 10n ** BigInt(decimals);
    const rounded = roundHalfEven(above * factor, below);
    if (rounded < limit * factor) {
      const rest = `${rounded % factor}`.padStart(decimals, "0");
      return decimals ? `${rounded / factor}.${rest}` : `${rounded}`;
    }
  }
  return "";
}

function roundHalfEven(above, below) {
  const whole = floorDiv(above, below);
  const twice = 2n * (above - whole * below);
  return twice > below || (twice === below && whole % 2n !== 0n) ? whole + 1n : whole;
}

function percent(share) {
  if (share === null) return "";
  return share === 0 ? "0 %" : share >= 0.00005 ? `${(share * 100).toFixed(2)} %` : "<0.01 %";
}

// Every digit: 58,019,807,232; of a fraction four decimals.
function exact(value) {
  if (value === null) return "–";
  if (typeof value === "bigint") return value.toLocaleString("en-US").replace("-", MINUS);
  return (Number((value.above * 1000000n) / value.below) / 1e6).toLocaleString("en-US", { maximumFractionDigits: 4 });
}

// A shape, [1, 1024, 768]; its dtype too unless it is a float.
function shapeText(shape, dtype) {
  if (!state.figures || !shape) return "";
  const text = `[${shape.map((figure) => state.figures[figure]).join(", ")}]`;
  return !dtype || dtype.includes("float") ? text : `${dtype} ${text}`;
}

// The number that a reader types, as the command line reads it: 4096, 4_096, 4k (4 x 1024), 1.5k, 1m, 1e6; null if it is
// none, or not a whole number from 1 on.
function parseSize(text) {
  const found = /^\s*([0-9]+(?:_[0-9]+)*)(?:\.([0-9]+))?(?:e\+?([0-9]{1,2}))?\s*([km]?)\s*$/i.exec(text);
  if (!found || text.length > 40) return null;
  const [, whole, part = "", exponent = "0", unit] = found;
  const above = BigInt(whole.replaceAll("_", "") + part) * 10n ** BigInt(exponent) * { "": 1n, k: 1024n, m: 1048576n }[unit.toLowerCase()];
  const below = 10n ** BigInt(part.length);
  return above > 0n && above % below === 0n ? above / below : null;
}
