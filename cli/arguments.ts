import { parseArgs, type ParseArgsConfig } from "node:util";
import { UserError } from "./ui";

/**
 * Reads a verb's command line.
 *
 * @throws UserError with the parser's reason and the verb's usage, for an option that does not exist or lacks its value
 */
export function readArguments<const T extends ParseArgsConfig>(
  usage: string,
  config: T,
): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config);
  } catch (error) {
    throw new UserError(`${(error as Error).message}\n\n${usage}`);
  }
}
