// Puts together again what the parts of the page share (sharing.py): nodes of a kind, and the beginnings of names.

PARTS.forEach((part, number) => {
  if (number !== ROOT && part.path === undefined) part.path = [PARTS[part.in].path, part.name].filter(Boolean).join(".");
});

// The name of what comes from another part: its number, with what follows its path; or the name itself.
function nameFrom(told) {
  if (typeof told === "number") return PARTS[told].path;
  return typeof told === "string" ? told : PARTS[told[0]].path + told[1];
}

for (const part of PARTS) {
  if (part.of === undefined) continue;
  const { operands, gives, work, kept, formulas, ...common } = CONTENT.kinds[part.of];
  const elsewhere = [...(part.from ?? [])];
  const said = (own) => (own === null ? nameFrom(elsewhere.shift()) : own === 0 ? "" : part.path + own);
  Object.assign(part, common, { formulas: CONTENT.formulas[formulas] });
  part.operands = operands?.map(([label, own, ...spec]) => [label, said(own), ...spec]);
  part.gives = gives?.map(([label, own, ...spec]) => [label, said(own), ...spec]);
  part.work = work?.map(([quantity, of, subject, ...rest]) => [quantity, of, Array.isArray(subject) ? part.path + subject[0] : subject, ...rest]);
  part.kept = kept?.map(([label, own, why, counted, size]) => [label, said(own), why, said(counted), size]);
}
