/** Replaced by the bundler with the version of package.json. */
declare const __GROUNDWORK_KEEPER_VERSION__: string | undefined;

/** Version of this build; `0.0.0-source` when the sources run without the bundler. */
export const version: string =
  typeof __GROUNDWORK_KEEPER_VERSION__ === "string" ? __GROUNDWORK_KEEPER_VERSION__ : "0.0.0-source";
