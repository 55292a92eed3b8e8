import { MachineError } from "./nspawn/process";

/** The machine's description from the environment, where the graph puts it. */
export function givenSpec<Spec>(): Spec {
  const text = process.env["GROUNDWORK_MACHINE"];
  if (!text) throw new MachineError("GROUNDWORK_MACHINE is not set");
  return JSON.parse(text) as Spec;
}

/** What a driver's tool is told on its command line. */
export interface ToolLine {
  verb?: string;
  stack?: string;
  /** `STACK/NAME` of the machine, where one is named. */
  id?: string;
  json: boolean;
  /** What `exec` runs inside. */
  command: string[];
}

export function readToolLine(given: string[]): ToolLine {
  const args = [...given];
  // Only in front of the command to run inside, which may have a --stack of its own.
  const at = args.slice(0, 3).indexOf("--stack");
  const stack = at < 0 ? undefined : args.splice(at, 2)[1];
  const [verb, name, ...rest] = args[0] === "exec" ? args : args.filter((arg) => arg !== "--json");
  return {
    verb,
    stack,
    id: name !== undefined && stack !== undefined ? `${stack}/${name}` : name,
    json: args.includes("--json"),
    command: rest[0] === "--" ? rest.slice(1) : rest,
  };
}

/** The answer of `ls`, for people or for scripts. */
export function machineTable(machines: { id: string; address?: string; running: boolean }[], json: boolean): string {
  if (json) return JSON.stringify(machines, null, 2);
  return machines.map((m) => [m.id, m.address ?? "?", m.running ? "running" : "stopped"].join("  ")).join("\n");
}

/** Entry point of a tool: the answer goes to standard output, a failure in one message to standard error. */
export async function runTool(work: (line: ToolLine) => Promise<string>, args: string[]): Promise<void> {
  try {
    const answer = await work(readToolLine(args));
    if (answer) process.stdout.write(answer + "\n");
  } catch (error) {
    process.stderr.write((error instanceof MachineError ? error.message : String((error as Error).stack)) + "\n");
    process.exitCode = 1;
  }
}
