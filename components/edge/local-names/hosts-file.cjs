"use strict";
// hosts-file.cjs set STACK ADDRESS NAME... | remove STACK
//
// Keeps one marked block per stack in the hosts file, and nothing else of it. The file is replaced in one step,
// with its mode, so that no reader ever sees half of it. HOSTS_FILE names another file (tests).
const fs = require("node:fs");

const file = process.env.HOSTS_FILE || "/etc/hosts";

function main([verb, stack, address, ...names]) {
  if (
    !stack ||
    !/^[a-z][-a-z0-9]*$/.test(stack) ||
    (verb === "set" ? !address || names.length === 0 : verb !== "remove")
  ) {
    process.stderr.write("usage: hosts-file.cjs set STACK ADDRESS NAME... | remove STACK\n");
    return 2;
  }
  const begin = `# groundwork ${stack} begin`;
  const end = `# groundwork ${stack} end`;
  const before = fs.existsSync(file) ? fs.readFileSync(file, "utf8") : "";
  const kept = [];
  let inside = false;
  for (const line of before.split("\n")) {
    if (line === begin) inside = true;
    else if (inside && line === end) inside = false;
    else if (!inside) kept.push(line);
  }
  let after = kept.join("\n");
  if (verb === "set") {
    if (after && !after.endsWith("\n")) after += "\n";
    after += `${begin}\n${address} ${names.join(" ")}\n${end}\n`;
  }
  if (after === before) return 0;
  try {
    replace(after);
  } catch (error) {
    process.stderr.write(
      `${file} cannot be written (${error.code}): run as root, or set groundwork:localNames to false\n`,
    );
    return 1;
  }
  return 0;
}

function replace(text) {
  const mode = fs.existsSync(file) ? fs.statSync(file).mode & 0o7777 : 0o644;
  const temporary = `${file}.groundwork`;
  fs.writeFileSync(temporary, text, { mode });
  try {
    fs.renameSync(temporary, file);
  } catch (error) {
    // In a container the file is a mount of its own: it can be written, not replaced.
    fs.rmSync(temporary, { force: true });
    if (error.code !== "EBUSY") throw error;
    fs.writeFileSync(file, text);
  }
}

process.exit(main(process.argv.slice(2)));
