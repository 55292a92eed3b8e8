"use strict";
// The entry of every npm script and of the `pulumi` command: plain CommonJS without dependencies, so that it runs on
// a machine with nothing but Node. It brings what the rest needs (npm modules, system packages), then hands over to cli/main.ts.
const { spawnSync } = require("node:child_process");
const { createHash } = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");

const root = path.resolve(__dirname, "..");
const modules = path.join(root, "node_modules");
/** Holds the digest of the package-lock.json that node_modules was made from. */
const stamp = path.join(modules, ".groundwork-lock");
const OLDEST_NODE = 20;

/** The commands that the machinery calls, and the Debian and Ubuntu packages that bring them. The one list of them. */
const SYSTEM = {
  conntrack: "conntrack",
  flock: "util-linux",
  git: "git",
  ip: "iproute2",
  iptables: "iptables",
  mmdebstrap: "mmdebstrap",
  "ssh-keygen": "openssh-client",
  "systemd-nspawn": "systemd-container",
  tar: "tar",
};
/** Packages without a command: Debian's signing keys (which Ubuntu lacks), and upstreams' certificates. */
const SYSTEM_FILES = {
  "debian-archive-keyring": ["gpg", "pgp"].map((end) => `/usr/share/keyrings/debian-archive-keyring.${end}`),
  "ca-certificates": ["/etc/ssl/certs/ca-certificates.crt"],
};

const say = (line) => process.stderr.write(`${line}\n`);

/** Ends with a message for a person. */
function stop(message) {
  say(message);
  process.exit(1);
}

function checkNode() {
  const major = Number(process.versions.node.split(".")[0]);
  if (major >= OLDEST_NODE) return;
  stop(`Groundwork needs Node ${OLDEST_NODE} or newer, and this is ${process.version} (${process.execPath}).`);
}

/** Where each command on PATH is; /sbin is where Debian puts some of them, and not on everybody's PATH. */
function hasCommand(name) {
  const folders = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/sbin"];
  return folders.some((folder) => folder !== "" && fs.existsSync(path.join(folder, name)));
}

function missingPackages() {
  const missing = [
    ...Object.keys(SYSTEM)
      .filter((command) => !hasCommand(command))
      .map((command) => SYSTEM[command]),
    ...Object.keys(SYSTEM_FILES).filter((name) => !SYSTEM_FILES[name].some((file) => fs.existsSync(file))),
  ];
  return [...new Set(missing)].sort();
}

/** Installs missing system packages when root, and else names them. */
function provideSystem() {
  const missing = missingPackages();
  if (missing.length === 0) return;
  const command = `apt-get install --no-install-recommends ${missing.join(" ")}`;
  if (!hasCommand("apt-get")) {
    stop(`These Debian or Ubuntu packages are missing, and there is no apt-get to install them: ${missing.join(" ")}`);
  }
  if (process.getuid() !== 0) stop(`System packages are missing. Run this as root, then try again:\n  ${command}`);
  say(`Installing system packages: ${missing.join(" ")}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const log = logFile("system-packages");
  const install = ["install", "--yes", "--no-install-recommends", ...missing];
  if (logged("apt-get", install, log, env) === 0) return;
  // A fresh machine or container has no package lists yet, or stale ones.
  if (logged("apt-get", ["update"], log, env) === 0 && logged("apt-get", install, log, env) === 0) return;
  stop(`${command} failed. It ended with:\n${lastLines(log)}\nLog: ${log}`);
}

function logFile(name) {
  const home =
    process.env.GROUNDWORK_STATE_DIR ?? path.join(require("node:os").homedir(), ".local", "state", "groundwork");
  const folder = path.join(home, "logs");
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  return path.join(folder, `${name}.log`);
}

/** Runs a command with its output in a log, and returns its exit code. */
function logged(command, args, log, env = process.env) {
  const file = fs.openSync(log, "a");
  fs.writeSync(file, `\n$ ${[command, ...args].join(" ")}\n`);
  const done = spawnSync(command, args, { cwd: root, stdio: ["ignore", file, file], env });
  fs.closeSync(file);
  if (done.signal) process.exit(130);
  return done.status ?? 127;
}

const lastLines = (log) =>
  fs
    .readFileSync(log, "utf8")
    .split("\n")
    .filter((line) => line.trim() !== "")
    .slice(-15)
    .map((line) => `  ${line}`)
    .join("\n");

const lockDigest = () =>
  createHash("sha256")
    .update(fs.readFileSync(path.join(root, "package-lock.json")))
    .digest("hex");

function modulesAreCurrent() {
  try {
    return fs.readFileSync(stamp, "utf8") === lockDigest();
  } catch {
    return false; // no node_modules, or made by hand
  }
}

/** Whether a `npm ci` or `npm install` by hand already left what the lock file says: then only the stamp is missing. */
function installedByHand() {
  const installed = path.join(modules, ".package-lock.json");
  if (!fs.existsSync(installed)) return false;
  if (fs.statSync(installed).mtimeMs < fs.statSync(path.join(root, "package-lock.json")).mtimeMs) return false;
  const wanted = JSON.parse(fs.readFileSync(path.join(root, "package-lock.json"), "utf8")).packages;
  const have = JSON.parse(fs.readFileSync(installed, "utf8")).packages;
  return Object.keys(wanted).every((name) => {
    if (name === "" || wanted[name].link || wanted[name].optional || !name.startsWith("node_modules/")) return true;
    return have[name]?.version === wanted[name].version;
  });
}

/** Called again under the lock by `provideModules`. */
function installModules() {
  if (modulesAreCurrent()) return;
  if (!installedByHand()) {
    say("Installing npm modules (about a minute the first time)");
    const log = logFile("npm-ci");
    if (logged("npm", ["ci", "--no-audit", "--no-fund"], log) !== 0) {
      stop(`npm ci failed. It ended with:\n${lastLines(log)}\nLog: ${log}`);
    }
  }
  fs.mkdirSync(modules, { recursive: true });
  fs.writeFileSync(stamp, lockDigest());
}

/** Two runs must not install at once: the second waits for the kernel's lock and then finds the work done. */
function provideModules() {
  if (modulesAreCurrent()) return;
  const lock = path.join(root, ".groundwork", "set-up.lock");
  fs.mkdirSync(path.dirname(lock), { recursive: true });
  const done = spawnSync("flock", [lock, process.execPath, __filename, "--install-modules"], { stdio: "inherit" });
  if (done.status !== 0) process.exit(done.status ?? 130);
}

/** Runs one verb of the command line with everything that it needs in place. The process ends with its exit code. */
function run(argv) {
  checkNode();
  provideSystem();
  provideModules();
  process.chdir(root);
  require("./typescript.cjs");
  Promise.resolve(require("./main").main(argv)).then(
    (code) => {
      process.exitCode = code ?? 0;
    },
    (error) => {
      say(error?.stack ?? String(error));
      process.exitCode = 1;
    },
  );
}

module.exports = { run, SYSTEM, SYSTEM_FILES };

if (require.main === module) {
  if (process.argv[2] === "--install-modules") installModules();
  else run(process.argv.slice(2));
}
