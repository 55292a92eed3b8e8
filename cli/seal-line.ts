import { parseArgs } from "node:util";
import { UserError } from "./ui";

/** What a sealed secret may be used as: only under its own name, under any in its namespace, or anywhere. */
export const scopes = ["strict", "namespace-wide", "cluster-wide"] as const;

/** The command line of `npm run seal`, checked. */
export interface SealLine {
  name: string;
  namespace: string;
  /** Key to file, `-` is standard input; none says that standard input has KEY=VALUE lines. */
  fromFile: { key: string; file: string }[];
  scope: (typeof scopes)[number];
  /** Type of the Secret. */
  type: string;
  stack?: string;
  /** The controller's certificate, instead of asking the cluster. */
  cert?: string;
  /** Print the controller's certificate, and seal nothing. */
  fetchCert: boolean;
  /** Write the result to the stack's folder, and not to standard output. */
  write: boolean;
}

export const sealUsage = `usage: npm run --silent seal -- --name NAME --namespace NAMESPACE [options]

  --from-file KEY=FILE   a value out of a file (- is standard input); may be given several times
                         without: KEY=VALUE lines on standard input
  --scope SCOPE          strict (default): only under this name; namespace-wide; cluster-wide
  --type TYPE            type of the Secret; default Opaque
  --stack NAME           the stack whose cluster is asked for its certificate
  --cert FILE            that certificate, for sealing without the cluster
  --write                write sealed/STACK/NAMESPACE-NAME.yaml instead of standard output
  --fetch-cert           print the certificate, and seal nothing

Values are never taken from the command line, where other processes could read them.`;

/** Names of objects, and of namespaces, as the API server takes them. */
const objectName = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const namespaceName = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const secretKey = /^[-._a-zA-Z0-9]{1,253}$/;

function parse(argv: string[]) {
  try {
    return parseArgs({
      args: argv,
      options: {
        name: { type: "string" },
        namespace: { type: "string", short: "n" },
        "from-file": { type: "string", multiple: true },
        scope: { type: "string" },
        type: { type: "string" },
        stack: { type: "string", short: "s" },
        cert: { type: "string" },
        write: { type: "boolean" },
        "fetch-cert": { type: "boolean" },
      },
    }).values;
  } catch {
    // The parser's message quotes the argument, and that may be a value somebody thought could stand here.
    throw new UserError(`this is no command line of seal\n\n${sealUsage}`);
  }
}

/** @throws UserError with what is wrong, all at once */
export function parseSealLine(argv: string[]): SealLine {
  const given = parse(argv);
  const { name = "", namespace = "", scope = "strict" } = given;
  const problems: string[] = [];
  const fetchCert = given["fetch-cert"] ?? false;
  if (!fetchCert) {
    if (!objectName.test(name))
      problems.push(`--name ${shown(name)}: must be a name such as mail-login (a-z, 0-9, -, .)`);
    if (!namespaceName.test(namespace))
      problems.push(`--namespace ${shown(namespace)}: must be a namespace such as app`);
  }
  const known = scopes.find((one) => one === scope);
  if (!known) problems.push(`--scope ${scope}: must be one of ${scopes.join(", ")}`);
  const fromFile = (given["from-file"] ?? []).map((text, index) => {
    const cut = text.indexOf("=");
    const [key, file] = cut < 0 ? ["", ""] : [text.slice(0, cut), text.slice(cut + 1)];
    if (!secretKey.test(key) || file === "") problems.push(`--from-file number ${index + 1}: must be KEY=FILE`);
    return { key, file };
  });
  const twice = fromFile.find(({ key }, index) => fromFile.some((other, at) => at > index && other.key === key));
  if (twice) problems.push(`--from-file: ${twice.key} is there twice`);
  if (fromFile.filter(({ file }) => file === "-").length > 1)
    problems.push("--from-file: only one can be standard input");
  if (problems.length > 0) throw new UserError([...problems, "", sealUsage].join("\n"));
  return {
    name,
    namespace,
    fromFile,
    scope: known!,
    type: given.type ?? "Opaque",
    stack: given.stack,
    cert: given.cert,
    fetchCert,
    write: given.write ?? false,
  };
}

const shown = (text: string): string => (text === "" ? "is missing" : text);
