// What formulas in JavaScript are made of: whole numbers of any size, and fractions of them where one is left.
// A figure is a BigInt or, where it is no whole number, a fraction {above, below} in lowest terms.

function floorDiv(a, b) {
  const quotient = a / b; // rounded towards 0, where Python rounds down
  return quotient * b !== a && a < 0n !== b < 0n ? quotient - 1n : quotient;
}

function ceilDiv(a, b) {
  return -floorDiv(-a, b);
}

function max(...numbers) {
  return numbers.reduce((a, b) => (b > a ? b : a));
}

function min(...numbers) {
  return numbers.reduce((a, b) => (b < a ? b : a));
}

function divisor(a, b) {
  while (b) [a, b] = [b, a % b];
  return a < 0n ? -a : a;
}

function fraction(above, below) {
  if (above % below === 0n) return above / below;
  const common = divisor(above, below) * (below < 0n ? -1n : 1n);
  return { above: above / common, below: below / common };
}

// The largest and the smallest of several fractions, each an array of two numbers; so is the result.
function largest(...pairs) {
  return pairs.map(positive).reduce((a, b) => (b[0] * a[1] > a[0] * b[1] ? b : a));
}

function smallest(...pairs) {
  return pairs.map(positive).reduce((a, b) => (b[0] * a[1] < a[0] * b[1] ? b : a));
}

function positive([above, below]) {
  return below < 0n ? [-above, -below] : [above, below];
}

function pair(figure) {
  return typeof figure === "bigint" ? [figure, 1n] : [figure.above, figure.below];
}

function plus(a, b) {
  if (typeof a === "bigint" && typeof b === "bigint") return a + b;
  const [[m, n], [p, q]] = [pair(a), pair(b)];
  return fraction(m * q + p * n, n * q);
}

function larger(a, b) {
  if (typeof a === "bigint" && typeof b === "bigint") return b > a ? b : a;
  return fraction(...largest(pair(a), pair(b)));
}
