"use strict";
// What the engine loads. It registers a ts-node that checks types first, and packs have no switch against that:
// several seconds in each preview for what `npm test` does once. So the hook for .ts makes way for one that only
// removes the types.
require("../cli/typescript.cjs");
require("./index.ts");
