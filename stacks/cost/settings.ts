import { z } from "zod";
import { priceNames } from "./names";

const price = z.number().nonnegative({ error: "must be a monthly price, 0 or more" });

/** What is told about money: with which prices a stack is reckoned up, and what it may cost. */
export const costSchema = z
  .strictObject({
    currency: z.enum(["EUR", "USD"]).default("EUR").describe("Which of the provider's price lists. Default: EUR."),
    prices: z
      .record(z.string(), price)
      .default({})
      .superRefine((given, context) => {
        for (const name of Object.keys(given)) {
          if (!priceNames.test(name)) {
            context.addIssue({
              code: "custom",
              path: [name],
              message: "must be a server or load balancer type such as cx23 or lb11, or primary-ipv4, volume-gb, ...",
            });
          }
        }
      })
      .describe(
        "Your own monthly prices, net, before those of the table: by server or load balancer type, or primary-ipv4, " +
          "floating-ipv4, floating-ipv6, volume-gb, snapshot-gb. Default: none.",
      ),
    priceFile: z
      .string()
      .min(1)
      .optional()
      .describe("A price table in place of stacks/cost/prices.json, in the same form; relative to the project."),
    monthlyCap: z
      .number()
      .positive()
      .optional()
      .describe("Most that the stack may cost a month, net: more is refused by the policy pack. Default: no cap."),
  })
  .prefault({});

/** The settings of `groundwork:cost`. */
export type CostSettings = z.infer<typeof costSchema>;
