#!/usr/bin/env node
"use strict";
// Entry of the emulator of the Hetzner Cloud API. Types are only stripped, so that it starts in well under a second.
require("../../cli/typescript.cjs");
require("./main.ts").main(process.argv.slice(2));
