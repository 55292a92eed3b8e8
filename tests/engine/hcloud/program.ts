import { rehearseTarget, targetSchema } from "../../../components/host";
import type { Artifacts } from "../../../artifacts/types";

/** The program of these tests: what a target orders at Hetzner Cloud, and nothing on the machines. */
const target = targetSchema.parse(JSON.parse(process.env["GROUNDWORK_TEST_TARGET"] ?? "{}"));
const protect = process.env["GROUNDWORK_TEST_PROTECT"] === "yes";
const ordered = rehearseTarget(target, { artifacts: {} as Artifacts, protect });

export const api = ordered.api;
export const ingress = ordered.ingress;
