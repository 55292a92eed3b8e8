#!/usr/bin/env node
"use strict";
// Entry of a load balancer of the cloud's emulator; the backend starts it inside the balancer's network namespace.
require("../../../../cli/typescript.cjs");
require("./main.ts").main(process.argv[2]);
