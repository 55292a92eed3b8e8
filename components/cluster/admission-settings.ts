import { z } from "zod";

/** Whether the cluster itself holds what is applied to it against the rules of the policy pack. */
export const admissionSchema = z
  .strictObject({
    enabled: z
      .boolean()
      .default(false)
      .describe("Install ValidatingAdmissionPolicies made of the policy pack's rules. Default: false."),
    mode: z
      .enum(["Deny", "Warn", "Audit"])
      .default("Deny")
      .describe(
        "What happens to an object that breaks a rule: refused, warned of, or noted in the audit log. Default: Deny.",
      ),
  })
  .prefault({});

export type AdmissionSettings = z.infer<typeof admissionSchema>;
