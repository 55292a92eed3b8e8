import type { Exemption } from "./exemptions";

/**
 * What differs from the rules on purpose. Each entry is reviewed like code: it names one resource and one rule, says
 * why in a sentence that holds without context, and ends on a date. Keep it short.
 */
export const exemptions: readonly Exemption[] = [];
