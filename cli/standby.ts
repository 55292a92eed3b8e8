import { UserError } from "./ui";

/** `npm run standby`. Returns the exit code. */
export function standby(_argv: string[]): Promise<number> {
  return Promise.reject(new UserError("not there yet"));
}
