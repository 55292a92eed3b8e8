import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { ensureArtifacts } from "./artifacts";
import { openKube } from "./kube";
import { kubeconfigFile, root, writeAtomically } from "./paths";
import { parseSealLine, SealLine, sealUsage } from "./seal-line";
import { chosenStack } from "./stack";
import { say, UserError } from "./ui";

/** Where the command reads and writes: the process's own, or a test's. */
export interface SealStreams {
  stdin: AsyncIterable<Buffer | string>;
  out(text: string): void;
}

const controller = { namespace: "sealed-secrets", name: "sealed-secrets" };
const certificatePath = `/api/v1/namespaces/${controller.namespace}/services/http:${controller.name}:http/proxy/v1/cert.pem`;

/** Where a stack's sealed secrets are kept: the graph applies what is there. */
export const sealedFolder = (stack: string): string => path.join(root, "sealed", stack);

/** `npm run seal`: turns values into a SealedSecret that only the stack's cluster can open. Returns the exit code. */
export async function seal(argv: string[], streams: SealStreams = processStreams()): Promise<number> {
  if (argv.includes("--help") || argv.includes("-h")) {
    streams.out(`${sealUsage}\n`);
    return 0;
  }
  const line = parseSealLine(argv);
  if (line.fetchCert) {
    streams.out(await fetchCertificate(line));
    return 0;
  }
  const values = await readValues(line, streams.stdin);
  const certificate = line.cert === undefined ? await fetchCertificate(line) : readCertificate(line.cert);
  const [kubeseal] = await ensureArtifacts(["kubeseal"]);
  const sealed = await runKubeseal(kubeseal!.path, certificate, line, values);
  if (!line.write) {
    streams.out(sealed);
    return 0;
  }
  const file = path.join(sealedFolder(chosenStack(line.stack)), `${line.namespace}-${line.name}.yaml`);
  writeAtomically(file, sealed);
  say(`sealed into ${path.relative(root, file)}: commit it, and the next up makes the Secret`);
  return 0;
}

const processStreams = (): SealStreams => ({
  stdin: process.stdin,
  out: (text) => process.stdout.write(text),
});

/** The values by key, out of files or of standard input; never empty. */
async function readValues(line: SealLine, stdin: SealStreams["stdin"]): Promise<Record<string, Buffer>> {
  const values = new Map<string, Buffer>();
  if (line.fromFile.length === 0) {
    for (const [key, value] of pairs(await readAll(stdin))) values.set(key, Buffer.from(value));
    if (values.size === 0) throw new UserError("there is no value: give KEY=VALUE lines on standard input");
  }
  for (const { key, file } of line.fromFile) {
    const value = file === "-" ? await readAll(stdin) : readFile(key, file);
    if (value.length > 0 && value.at(-1) === 0x0a) {
      say(`note: ${key} ends with a line break, which becomes part of the secret`);
    }
    values.set(key, value);
  }
  for (const [key, value] of values) {
    if (value.length === 0) throw new UserError(`the value of ${key} is empty`);
  }
  return Object.fromEntries(values);
}

async function readAll(stdin: SealStreams["stdin"]): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stdin) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

function readFile(key: string, file: string): Buffer {
  try {
    return fs.readFileSync(file);
  } catch (error) {
    throw new UserError(`the file of ${key} can't be read: ${(error as Error).message}`);
  }
}

/** `KEY=VALUE` lines; empty ones and those that begin with # are left out. A message names lines by number, never by content. */
function* pairs(text: Buffer): Generator<[string, string]> {
  const seen = new Set<string>();
  for (const [index, line] of text.toString("utf8").split(/\r?\n/).entries()) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const [, key, value] = /^([-._a-zA-Z0-9]{1,253})=(.*)$/.exec(line) ?? [];
    if (key === undefined || value === undefined) {
      throw new UserError(`line ${index + 1} of standard input is no KEY=VALUE (keys have letters, digits, - _ .)`);
    }
    if (seen.has(key)) throw new UserError(`line ${index + 1} of standard input has ${key} again`);
    seen.add(key);
    yield [key, value];
  }
}

/** The controller's certificate, through the API server. */
async function fetchCertificate(line: SealLine): Promise<string> {
  const stack = chosenStack(line.stack);
  const file = kubeconfigFile(stack);
  const otherwise = "or name the controller's certificate with --cert FILE";
  if (!fs.existsSync(file))
    throw new UserError(`stack ${stack} is not up: run npm run up -- --stack ${stack}, ${otherwise}`);
  try {
    return checked(await openKube(file).get<string>(certificatePath), "what the controller answered");
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(
      `the sealing certificate of stack ${stack} can't be had: ${(error as Error).message}\n` +
        `Is sealedSecrets enabled in Pulumi.${stack}.yaml, and is the cluster up (npm run status)? Start it, ${otherwise}.`,
    );
  }
}

const readCertificate = (file: string): string => {
  if (!fs.existsSync(file)) throw new UserError(`--cert ${file}: there is no such file`);
  return checked(fs.readFileSync(file, "utf8"), file);
};

function checked(pem: string, from: string): string {
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem))
    throw new UserError(`${from} has a private key in it: only the certificate is needed`);
  if (!pem.includes("-----BEGIN CERTIFICATE-----")) throw new UserError(`${from} is no certificate in PEM`);
  return pem;
}

/** Runs kubeseal without a network: the Secret goes in by its standard input, so that no process list shows a value. */
async function runKubeseal(
  command: string,
  certificate: string,
  line: SealLine,
  values: Record<string, Buffer>,
): Promise<string> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-seal-"));
  try {
    const cert = path.join(folder, "cert.pem");
    fs.writeFileSync(cert, certificate);
    const secret = {
      apiVersion: "v1",
      kind: "Secret",
      type: line.type,
      metadata: { name: line.name, namespace: line.namespace },
      data: Object.fromEntries(Object.entries(values).map(([key, value]) => [key, value.toString("base64")])),
    };
    const own = Object.entries(process.env).filter(([name]) => !/^(SEALED_SECRETS_|KUBECONFIG$)/.test(name));
    const child = spawn(command, ["--cert", cert, "--scope", line.scope, "--format", "yaml"], {
      env: { ...Object.fromEntries(own), KUBECONFIG: "/dev/null" },
      stdio: ["pipe", "pipe", "pipe"],
    });
    child.stdin.on("error", () => undefined); // it ended early: its exit code and message tell
    child.stdin.end(JSON.stringify(secret));
    const [sealed, complaint, code] = await Promise.all([
      readAll(child.stdout),
      readAll(child.stderr),
      new Promise<number | null>((resolve, reject) => child.on("close", resolve).on("error", reject)),
    ]);
    if (code !== 0) throw new UserError(`kubeseal failed: ${complaint.toString("utf8").trim()}`);
    return sealed.toString("utf8");
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}
