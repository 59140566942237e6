// Gives the parts room. Which row each part of a scope stands in, and in which order, was found when the page was
// written (layers.py); here rows get their heights and places their middles, from the innermost open scope outwards.

const BOX = { width: 224, height: 44, small: 24 };
const GAP = { rows: 30, places: 22, lines: 16, pad: 18, head: 46, empty: 8 };
const SWEEPS = 8;

// The room of a part: width, height, and where values enter at its top and leave at its bottom. An open scope has the
// rooms of its parts too, with the middle of each place and the top of each row.
function roomOf(number) {
  const part = PARTS[number];
  if (!isScope(number) || !state.open.has(number)) {
    const height = part.kind || part.small ? BOX.small : BOX.height;
    const width = part.kind ? Math.max(textWidth(terminalText(part), 12, 600) + 32, 120) : BOX.width;
    return { width, height, ins: new Map(), outs: new Map() };
  }
  const inner = part.parts.map(roomOf);
  const count = inner.length;
  const firstExit = count + part.entering.length;
  const width = (place) => (place < count ? inner[place].width : 0);
  const links = linksOf(part, inner);
  const middles = middlesOf(part.rows, width, links, count);
  const tops = [];
  let y = number === ROOT ? 0 : GAP.head;
  part.rows.forEach((row, index) => {
    const height = Math.max(...row.map((place) => (place < count ? inner[place].height : 0)));
    tops.push({ top: y, height });
    y += height + (index + 1 < part.rows.length ? gapBelow(part, index, links) : 0);
  });
  const lefts = middles.map((middle, place) => middle - width(place) / 2);
  const rights = middles.map((middle, place) => middle + width(place) / 2);
  const [left, right] = [Math.min(...lefts) - GAP.pad, Math.max(...rights) + GAP.pad];
  const wide = Math.max(right - left, number === ROOT ? 0 : BOX.width + 2 * GAP.pad);
  const shift = (wide - (right - left)) / 2 - left;
  const centred = middles.map((middle) => middle + shift);
  const ports = (values, first) => new Map(values.map((value, index) => [value, centred[first + index] - wide / 2]));
  return {
    width: wide,
    height: y + (part.leaving.length ? 0 : GAP.pad),
    ins: ports(part.entering, count),
    outs: ports(part.leaving, firstExit),
    inner,
    middles: centred,
    tops,
  };
}

// The pieces of lines between one row and the next, each once: upper and lower place, the value, where it is tied to
// either (beside the middle), and how much it wants to be straight.
function linksOf(part, inner) {
  const found = new Map();
  const count = inner.length;
  const places = count + part.entering.length + part.leaving.length;
  for (const [way, value] of part.lines) {
    for (let index = 1; index < way.length; index++) {
      const [upper, lower] = [way[index - 1], way[index]];
      const key = `${upper},${lower},${value}`;
      if (found.has(key)) continue;
      const thin = (upper >= places) + (lower >= places);
      found.set(key, {
        upper,
        lower,
        value,
        from: inner[upper]?.outs.get(value) ?? 0,
        to: inner[lower]?.ins.get(value) ?? 0,
        weight: thin === 2 ? 8 : upper < count && lower < count ? 3 : 1,
      });
    }
  }
  return [...found.values()];
}

// The middle of each place: rows in turn move to where their lines want them, as far as their neighbours let them.
function middlesOf(rows, width, links, count) {
  const up = new Map();
  const down = new Map();
  const add = (map, key, value) => (map.has(key) ? map.get(key).push(value) : map.set(key, [value]));
  for (const { upper, lower, from, to, weight } of links) {
    add(up, lower, { other: upper, offset: from - to, weight });
    add(down, upper, { other: lower, offset: to - from, weight });
  }
  const middles = [];
  const apart = (a, b) => (width(a) + width(b)) / 2 + (a < count && b < count ? GAP.places : GAP.lines);
  for (const row of rows) spread(row, row.map(() => 0), row.map(() => 1), apart, middles);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const last = sweep >= SWEEPS - 2;
    for (const row of sweep % 2 ? [...rows].reverse() : rows) {
      const wanted = [];
      const weights = [];
      for (const place of row) {
        const near = [...((last || sweep % 2 === 0) && up.has(place) ? up.get(place) : [])];
        if ((last || sweep % 2) && down.has(place)) near.push(...down.get(place));
        const weight = near.reduce((sum, each) => sum + each.weight, 0);
        const sum = near.reduce((total, each) => total + each.weight * (middles[each.other] + each.offset), 0);
        wanted.push(weight ? sum / weight : middles[place]);
        weights.push(weight || 0.1);
      }
      spread(row, wanted, weights, apart, middles);
    }
  }
  return middles;
}

// Places a row as near to where its places want to be as their distances allow: those that would overlap stand side by
// side around the middle of what they want (least squares, by joining neighbours).
function spread(row, wanted, weights, apart, middles) {
  const groups = [];
  let offset = 0;
  row.forEach((place, index) => {
    if (index) offset += apart(row[index - 1], place);
    groups.push({ sum: (wanted[index] - offset) * weights[index], weight: weights[index], places: [[place, offset]] });
    while (groups.length > 1 && mean(groups.at(-2)) > mean(groups.at(-1))) {
      const other = groups.pop();
      const group = groups.at(-1);
      group.sum += other.sum;
      group.weight += other.weight;
      group.places.push(...other.places);
    }
  });
  for (const group of groups) for (const [place, at] of group.places) middles[place] = mean(group) + at;
}

const mean = (group) => group.sum / group.weight;

// The room between a row and the next: more where lines go far to the side.
function gapBelow(part, index, links) {
  const row = new Set(part.rows[index]);
  const count = links.reduce((sum, link) => sum + row.has(link.upper), 0);
  return GAP.rows + Math.min(4 * Math.max(count - 3, 0), 40);
}
