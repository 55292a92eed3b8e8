/** Bytes of Kubernetes' units. */
const BYTES: Record<string, number> = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 };

/** Bytes of `512Mi`, `4Gi`. NaN for a text that has not that form. */
export function bytes(text: string): number {
  const [, amount, unit] = /^(\d+)(Ki|Mi|Gi|Ti)$/.exec(text) ?? [];
  return unit === undefined ? NaN : Number(amount) * BYTES[unit]!;
}

/** The largest unit in which the number reads well, rounded up: `1.5Gi`, `300Mi`. */
export function formatBytes(count: number): string {
  if (count >= BYTES["Gi"]!) return `${Math.ceil((count / BYTES["Gi"]!) * 10) / 10}Gi`;
  return `${Math.ceil(count / BYTES["Mi"]!)}Mi`;
}

/** Cores of `250m`, `2`, `0.5`. NaN for a text that has not that form. */
export function cores(text: string): number {
  const [, milli] = /^(\d+)m$/.exec(text) ?? [];
  if (milli !== undefined) return Number(milli) / 1000;
  return /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
}
