import { TestResource } from "./engine-like";

/** The part of `pulumi preview --json` that is read. */
interface Preview {
  steps?: {
    op: string;
    newState?: { urn: string; type: string; inputs?: object; provider?: string; protect?: boolean };
  }[];
}

/**
 * The resources of a preview that the engine wrote with `--json`. Secrets are not in it, so the rules that look for the marks of
 * secret values find nothing there; the captured graph has them.
 *
 * @throws where the text is no such preview
 */
export function resourcesOfPreview(text: string): TestResource[] {
  const preview = JSON.parse(text) as Preview;
  if (!Array.isArray(preview.steps)) throw new Error("the file holds no steps: make it with pulumi preview --json");
  return preview.steps.flatMap(({ newState }): TestResource[] => {
    if (!newState) return [];
    const { urn, type, inputs = {}, provider, protect } = newState;
    const name = urn.split("::").at(-1)!;
    // A reference is the provider's URN and its id.
    return [{ urn, type, name, props: inputs, provider: provider?.replace(/::[^:]*$/, "") ?? null, protect }];
  });
}
