#!/usr/bin/env node
"use strict";
// Entry of the check that an existing machine can be worked on.
require("ts-node").register({ transpileOnly: true, cwd: __dirname });
require("./check.ts").main();
