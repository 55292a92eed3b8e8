import { PolicyPack } from "@pulumi/policy";
import { exemptions } from "./exemption-list";
import { toPolicies } from "./pack";
import { rules } from "./rules";

// Starts the pack's server, so nothing but the engine may load this file; tests load rules/ and pack.ts.
new PolicyPack("groundwork", { policies: toPolicies({ rules, exemptions }), enforcementLevel: "mandatory" });
