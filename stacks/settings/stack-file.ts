import * as fs from "node:fs";
import * as path from "node:path";
import {
  type Document,
  LineCounter,
  type Node,
  type Pair,
  type YAMLMap,
  isMap,
  isPair,
  isScalar,
  isSeq,
  parseDocument,
} from "yaml";
import { nearest } from "./nearest";
import { type Path, type Problem, keyName } from "./problem";

/** The namespace of the program's own settings: the project's name. */
const NAMESPACE = "groundwork";

/** Namespaces of the engine and of the providers that the program uses; their keys are not ours to check. */
const OTHERS = ["pulumi", "kubernetes", "command", "random", "tls", "hcloud"];

/** What Pulumi knows at the top of a stack's file. */
const TOP = ["config", "encryptionsalt", "encryptedkey", "secretsprovider", "environment"];

/** A stack's file, read for its settings and for the lines on which they stand. */
export class StackFile {
  /** The settings as they were written; secrets are left as `{ secure: ... }`. */
  readonly given: Record<string, unknown> = {};
  /** What is wrong with the file itself, one line each with the file's name. */
  readonly problems: string[] = [];
  readonly name: string;
  private readonly lines = new LineCounter();
  private root: YAMLMap | undefined;

  constructor(file: string) {
    this.name = path.basename(file);
    let text: string;
    try {
      text = fs.readFileSync(file, "utf8");
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      this.problems.push(`${this.name}: ${code === "ENOENT" ? "there is no such file" : `cannot be read (${code})`}`);
      return;
    }
    const document = parseDocument(text, { lineCounter: this.lines, prettyErrors: false });
    for (const error of document.errors) {
      const { line } = this.lines.linePos(error.pos[0]);
      this.problems.push(`${this.name}:${line}: is no YAML: ${error.message.split("\n")[0]}`);
    }
    if (document.errors.length > 0) return;
    this.read(document);
  }

  private read(document: Document): void {
    const contents = document.contents;
    if (contents === null) return;
    if (!isMap(contents)) {
      this.problems.push(`${this.name}:1: must be a map with the key config`);
      return;
    }
    this.root = contents;
    for (const pair of contents.items) {
      const key = String(pair.key);
      if (TOP.includes(key)) continue;
      const near = nearest(key, TOP);
      const line = this.lineOf(pair.key as Node);
      const hint = near ? `did you mean ${near}?` : "settings stand below config";
      this.problems.push(`${this.name}:${line}: ${key} is not known here; ${hint}`);
    }
    const config = contents.get("config", true) as Node | undefined;
    if (config === undefined || (isScalar(config) && config.value === null)) return;
    if (!isMap(config)) {
      this.problems.push(`${this.name}:${this.lineOf(config)}: config must be a map of settings`);
      return;
    }
    for (const pair of config.items) this.readSetting(pair, document);
  }

  private readSetting(pair: Pair, document: Document): void {
    const key = String(pair.key);
    // A key without a namespace is the project's own, as Pulumi has it.
    const colon = key.indexOf(":");
    const namespace = colon < 0 ? NAMESPACE : key.slice(0, colon);
    if (namespace === NAMESPACE) {
      const name = key.slice(colon + 1);
      if (name in this.given) {
        this.problems.push(`${this.name}:${this.lineOf(pair.key as Node)}: ${NAMESPACE}:${name} is given twice`);
      }
      this.given[name] = (pair.value as Node | null)?.toJS(document);
      return;
    }
    if (OTHERS.includes(namespace)) return;
    const near = nearest(namespace, [NAMESPACE, ...OTHERS]);
    const hint = near ? `did you mean ${near}${key.slice(colon)}?` : `known are ${[NAMESPACE, ...OTHERS].join(", ")}`;
    this.problems.push(`${this.name}:${this.lineOf(pair.key as Node)}: ${key} has an unknown namespace; ${hint}`);
  }

  /** Each problem as one line, in the file's order: file, line, key, remark. The line is left out where it is unknown. */
  describe(problems: readonly Problem[]): string[] {
    return problems
      .map(({ path: keys, text, at }) => {
        const line = this.find(at === "parent" ? keys.slice(0, -1) : keys, at);
        const where = line === undefined ? this.name : `${this.name}:${line}`;
        return { line: line ?? 0, text: `${where}: ${keyName(keys)} ${text}` };
      })
      .sort((a, b) => a.line - b.line)
      .map(({ text }) => text);
  }

  /** Line of what stands at the path, or of the nearest thing above it. */
  private find(keys: Path, at: Problem["at"]): number | undefined {
    const config = this.root && pairOf(this.root, "config");
    if (!config) return undefined;
    let pair: Pair | undefined = config;
    let node = config.value as Node | null;
    let line = this.lineOf(config.key as Node);
    for (const [depth, part] of keys.entries()) {
      pair = undefined;
      if (isMap(node)) {
        pair = pairOf(node, String(part), depth === 0);
        if (!pair) break;
        node = pair.value as Node | null;
      } else if (isSeq(node)) {
        node = (node.items[Number(part)] as Node | undefined) ?? null;
      } else break;
      if (pair) line = this.lineOf(pair.key as Node);
      else if (node) line = this.lineOf(node);
    }
    // A scalar may stand on a line below its key; a map's or list's own line is its key's.
    return at === "value" && pair && isScalar(node) && node.range ? this.lineOf(node) : line;
  }

  private lineOf(node: Node | null): number {
    return this.lines.linePos(node?.range?.[0] ?? 0).line;
  }
}

function pairOf(map: YAMLMap, key: string, namespaced = false): Pair | undefined {
  const names = namespaced ? [`${NAMESPACE}:${key}`, key] : [key];
  return map.items.find((item) => isPair(item) && names.includes(String(item.key)));
}
