import * as path from "node:path";
import { z } from "zod";
import { settingsSchema } from "./slices";

/** Where the generated schema is kept; `Pulumi.*.yaml` name it in their first line. */
export const schemaFile = path.join(__dirname, "schema.json");

/** What stands in a stack's file beside the settings, as Pulumi documents it. */
const ENGINE_KEYS = {
  secretsprovider: { type: "string" },
  encryptedkey: { type: "string" },
  encryptionsalt: { type: "string" },
  environment: {},
};

/**
 * JSON Schema (draft 7, which editors' YAML servers speak best) of a stack's file. It says what each value may be; rules
 * between values are in checks.ts and are told when a command starts.
 */
export function stackFileSchema(): object {
  const { properties = {}, required = [] } = z.toJSONSchema(settingsSchema, { io: "input", target: "draft-7" });
  const namespaced = Object.fromEntries(
    Object.entries(properties).map(([key, schema]) => [`groundwork:${key}`, schema]),
  );
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "Settings of a Groundwork stack",
    description: "Made from the zod schemas beside the components; not to be edited.",
    type: "object",
    additionalProperties: false,
    properties: {
      ...ENGINE_KEYS,
      config: {
        type: "object",
        properties: namespaced,
        required: required.map((key) => `groundwork:${key}`),
        // Keys of the engine and of providers are theirs; in our namespace nothing else is known.
        patternProperties: { [`^groundwork:(?!(${Object.keys(properties).join("|")})$)`]: false },
      },
    },
  };
}

/** The file's content. */
export const schemaText = (): string => `${JSON.stringify(stackFileSchema(), null, 2)}\n`;
