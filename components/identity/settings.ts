import { z } from "zod";

const userSchema = z.string().regex(/^[a-z0-9]([a-z0-9._@-]{0,62}[a-z0-9])?$/, {
  error: "must be a name of lower-case letters, digits, dots, dashes, underscores and @, 64 characters at most",
});
const users = (what: string) =>
  z.array(userSchema).default([]).describe(`People who may have a certificate as ${what}. Default: none.`);

/** Who may do what in the cluster. */
export const accessSchema = z
  .strictObject({
    enabled: z.boolean().default(false).describe("Make the groups' roles and bindings. Default: false."),
    admins: users("administrators (group groundwork:admins)"),
    developers: users("developers (group groundwork:developers)"),
    viewers: users("viewers (group groundwork:viewers)"),
    namespaces: z
      .array(z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/))
      .default(["app"])
      .describe('Namespaces in which developers work. Default: ["app"].'),
    oidcGroupsPrefix: z
      .string()
      .regex(/^[a-zA-Z0-9._:/-]+$/)
      .refine((prefix) => !prefix.startsWith("system:"), { error: "must not begin with system:" })
      .optional()
      .describe("Prefix under which an identity provider's groups are bound, too, such as oidc:. Default: none are."),
    certificateHours: z
      .int()
      .min(1)
      .max(24)
      .default(8)
      .describe("Lifetime of a client certificate in hours; it can't be taken back earlier. Default: 8."),
  })
  .superRefine((access, context) => {
    const seen = new Map<string, string>();
    for (const group of ["admins", "developers", "viewers"] as const) {
      access[group].forEach((user, index) => {
        const other = seen.get(user);
        if (other !== undefined) {
          context.addIssue({
            code: "custom",
            path: [group, index],
            message: `must be in one group only, and is in ${other}`,
          });
        }
        seen.set(user, group);
      });
    }
  })
  .prefault({});

export type AccessSettings = z.infer<typeof accessSchema>;
