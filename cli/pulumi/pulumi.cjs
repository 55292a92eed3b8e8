#!/usr/bin/env node
"use strict";
// `npx pulumi ...` in this checkout: the pinned Pulumi CLI with the project's environment around it.
const path = require("node:path");
const fs = require("node:fs");
// npm links the bin, so the checkout is where the real file lies.
const root = path.resolve(path.dirname(fs.realpathSync(__filename)), "..", "..");
require(path.join(root, "cli", "bootstrap.cjs")).run(["pulumi", ...process.argv.slice(2)]);
