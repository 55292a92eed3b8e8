const factors: Record<string, number> = {
  "": 1,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
};

/** A Kubernetes quantity (`250m`, `8Gi`, `4`) as a number of its base unit; undefined where it is none. */
export function quantity(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  const [, number, unit] = /^(\d+(?:\.\d+)?)(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$/.exec(String(value)) ?? [];
  return number === undefined ? undefined : Number(number) * factors[unit ?? ""]!;
}

/** A duration as Go writes it (`2160h0m0s`, `90m`) in hours; undefined where it is none. */
export function hours(value: unknown): number | undefined {
  const text = String(value);
  if (!/^(\d+(\.\d+)?(h|m|s|ms))+$/.test(text)) return undefined;
  const unit: Record<string, number> = { h: 1, m: 1 / 60, s: 1 / 3600, ms: 1 / 3_600_000 };
  return [...text.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g)].reduce(
    (sum, [, number, name]) => sum + Number(number) * unit[name!]!,
    0,
  );
}
