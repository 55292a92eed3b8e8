import type { Drift, DriftReport } from "./compare";

const widest = 100;

/** A value on one line; long ones are cut, and texts of many lines counted. */
function show(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  if (typeof value === "string" && text.includes("\n")) return `a text of ${text.split("\n").length} lines`;
  return text.length > widest ? `${text.slice(0, widest)}… (${text.length} characters)` : text;
}

function section({ type, name, id, gone, fields, who }: Drift): string {
  const title = `${name} (${type}${id === undefined ? "" : `, ${id}`})${gone ? " is gone" : ""}`;
  const lines = fields.map(({ path, old, new: now }) => `  ${path}: ${show(old)} → ${show(now)}`);
  return [title, ...lines, `  who: ${who}`].join("\n");
}

/** The report for people. */
export function driftText(stack: string, { looked, drifts, leftOut }: DriftReport): string {
  const noted = Object.entries(leftOut).map(([reason, count]) => `left out: ${count} fields; ${reason}`);
  if (drifts.length === 0)
    return [`no drift: ${looked} resources of ${stack} are as its state says`, ...noted].join("\n");
  const gone = drifts.filter((drift) => drift.gone).length;
  return [
    `drift in ${stack}: ${drifts.length - gone} of ${looked} resources changed, ${gone} gone (state → what is there)`,
    "",
    ...drifts.map((drift) => `${section(drift)}\n`),
    ...noted,
    `To put it back: npm run up -- --stack ${stack} -- --refresh. To keep it: change the settings or the program first.`,
  ].join("\n");
}
