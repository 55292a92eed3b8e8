#!/usr/bin/env node
"use strict";
// Entry of the instance tool. It must start in well under a second, so the compiler only strips types.
require("ts-node").register({ transpileOnly: true, cwd: __dirname });
require("./tool.ts").main(process.argv.slice(2));
