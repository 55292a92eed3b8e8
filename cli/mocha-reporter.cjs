"use strict";
// Mocha's `spec` reporter, plus the totals as JSON in the file that GROUNDWORK_TOTALS names: the test verb adds
// up several mocha runs, and counts only what a run has really reported.
const fs = require("node:fs");
const Mocha = require("mocha");

module.exports = class Totals extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.once("end", () => {
      const { passes, failures, pending } = this.stats;
      if (process.env.GROUNDWORK_TOTALS) {
        fs.writeFileSync(
          process.env.GROUNDWORK_TOTALS,
          JSON.stringify({ passed: passes, failed: failures, skipped: pending }),
        );
      }
    });
  }
};
