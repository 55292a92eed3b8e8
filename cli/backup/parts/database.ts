import type { Readable } from "node:stream";
import { createInterface } from "node:readline";
import { runInPod, startInPod, type Place } from "../../exec/pod";
import type { Login } from "../../kube";
import { UserError } from "../../ui";
import type { AdminCluster } from "../../vault/cluster";
import type { DatabaseFacts, TableFacts } from "../manifest";

/** A PostgreSQL of the stack's. */
export interface Database {
  namespace: string;
  cluster: string;
  database: string;
  owner: string;
}

interface ClusterObject {
  metadata: { name: string; namespace: string };
  spec: { bootstrap?: { initdb?: { database?: string; owner?: string } } };
  status?: { currentPrimary?: string; conditions?: { type: string; status: string }[] };
}

const clusters = "/apis/postgresql.cnpg.io/v1";

/** All databases that CloudNativePG keeps. */
export async function listDatabases(cluster: AdminCluster): Promise<Database[]> {
  const { items } = await cluster.api<{ items: ClusterObject[] }>("GET", `${clusters}/clusters`);
  return items.map(({ metadata, spec }) => ({
    namespace: metadata.namespace,
    cluster: metadata.name,
    database: spec.bootstrap?.initdb?.database ?? "app",
    owner: spec.bootstrap?.initdb?.owner ?? "app",
  }));
}

/** The pod that may be written to. @throws UserError where there is none that is ready */
export async function primaryOf(cluster: AdminCluster, { namespace, cluster: name }: Database): Promise<Place> {
  const path = `${clusters}/namespaces/${namespace}/clusters/${name}`;
  const { status } = await cluster.api<ClusterObject>("GET", path);
  const ready = status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True");
  if (!ready || !status?.currentPrimary) throw new UserError(`the database ${namespace}/${name} is not ready`);
  return { namespace, pod: status.currentPrimary, container: "postgres" };
}

/** psql without a person: no startup file, no header, first mistake ends it. */
const psql = (database: string): string[] => ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database];

/** One line of JSON for each table that people own. */
const factsQuery = `
SELECT format(
  'SELECT json_build_object(''table'', %L, ''rows'', count(*), ''sum'',
     coalesce(sum((''x'' || left(md5(t::text), 15))::bit(60)::bigint), 0)::text) FROM %I.%I t',
  n.nspname || '.' || c.relname, n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname, c.relname \\gexec
`;

/** Counts and sums of every table, as they are now. */
export async function readTables(login: Login, place: Place, database: string): Promise<TableFacts[]> {
  const output = await runInPod(login, place, psql(database), factsQuery);
  const lines = output.toString("utf8").split("\n").filter(Boolean);
  return lines.map((line) => JSON.parse(line) as TableFacts);
}

/** A dump that is being taken, and the facts of the very rows that are in it. */
export interface Dump {
  content: Readable;
  facts: DatabaseFacts;
  /** Resolves once the dump has ended well; before, what came is not a dump. */
  ended: Promise<void>;
}

/**
 * Begins a dump of one database. Dump and facts see the same snapshot of the rows, which a session of our own holds until the
 * dump is done: writers are not held up.
 */
export async function beginDump(cluster: AdminCluster, login: Login, database: Database): Promise<Dump> {
  const place = await primaryOf(cluster, database);
  const session = await startInPod(login, place, psql(database.database));
  const lines = createInterface({ input: session.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const line = (await lines.next()) as IteratorResult<string, undefined>;
    if (!line.done) return line.value;
    const { stderr } = await session.ended;
    throw new Error(`psql in ${place.namespace}/${place.pod} ended: ${stderr.trim()}`);
  };
  session.stdin.write("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\nSELECT pg_export_snapshot();\n");
  const snapshot = await next();
  session.stdin.write(`${factsQuery}\nSELECT 'end';\n`);
  const tables: TableFacts[] = [];
  for (let line = await next(); line !== "end"; line = await next()) tables.push(JSON.parse(line) as TableFacts);

  // Level 1: the pod's processor is the scarce thing.
  const words = ["pg_dump", "-d", database.database, "--format=custom", "--compress=gzip:1", `--snapshot=${snapshot}`];
  const dump = await startInPod(login, place, words);
  dump.stdin.end();
  const ended = dump.ended.then(async ({ code, stderr }) => {
    session.stdin.end("COMMIT;\n");
    await session.ended.catch(() => undefined);
    if (code !== 0) throw new Error(`pg_dump of ${database.namespace}/${database.cluster} failed: ${stderr.trim()}`);
  });
  ended.catch(() => undefined);
  const { namespace, cluster: name, database: of } = database;
  return { content: dump.stdout, facts: { namespace, cluster: name, database: of, tables }, ended };
}

/** Roles that every new database has of itself or of the graph, with the graph's passwords; leased ones end by themselves. */
const ownRoles = (database: Database): string[] => [
  "postgres",
  "streaming_replica",
  "cnpg_metrics_exporter",
  "vault",
  database.owner,
];

/** Names in quotes or not, as pg_dumpall writes them. */
const roleName = `("(?:[^"]|"")+"|[a-z_][a-z0-9_$]*)`;
const statement = new RegExp(
  `^(?:CREATE ROLE ${roleName};|ALTER ROLE ${roleName} |COMMENT ON ROLE ${roleName} |GRANT ${roleName} TO ${roleName}[ ;])`,
);

/**
 * The statements that make the roles that people added, out of what `pg_dumpall --roles-only` says; passwords are in it as
 * SCRAM verifiers. Grants of own roles to added ones are kept, and of leased users nothing is.
 */
export function addedRoles(dump: string, database: Database): string {
  const own = ownRoles(database);
  const leased = (name: string): boolean => name.startsWith("v-");
  const kept = dump.split("\n").filter((line) => {
    const found = statement.exec(line);
    if (!found) return false;
    const names = found.slice(1).flatMap((name) => (name === undefined ? [] : [name.replace(/^"|"$/g, "")]));
    return !names.some(leased) && names.some((name) => !own.includes(name) && !name.startsWith("pg_"));
  });
  return kept.length > 0 ? `${kept.join("\n")}\n` : "";
}

/** What {@link addedRoles} finds in a running database. */
export async function dumpRoles(cluster: AdminCluster, login: Login, database: Database): Promise<string> {
  const place = await primaryOf(cluster, database);
  const output = await runInPod(login, place, ["pg_dumpall", "--roles-only"]);
  return addedRoles(output.toString("utf8"), database);
}

/**
 * Puts a dump back: added roles, then everything in one transaction, so that a dump that breaks off leaves what was there.
 * Can be repeated.
 */
export async function restoreDatabase(
  cluster: AdminCluster,
  login: Login,
  database: Database,
  from: { roles: string; dump: Readable },
): Promise<void> {
  const place = await primaryOf(cluster, database);
  if (from.roles !== "") {
    // A role that is there already is what the second run meets: its attributes are set all the same.
    await runInPod(login, place, ["psql", "-X", "-q", "-d", "postgres"], from.roles);
  }
  const words = [
    "pg_restore",
    "-d",
    database.database,
    "--clean",
    "--if-exists",
    "--single-transaction",
    "--exit-on-error",
  ];
  await runInPod(login, place, words, from.dump);
  await runInPod(login, place, psql(database.database), "ANALYZE;\n");
}

/** Where what was restored is not what was dumped; empty where it is. */
export function differences(wanted: TableFacts[], found: TableFacts[]): string[] {
  return wanted.flatMap((table) => {
    const same = found.find((one) => one.table === table.table);
    if (!same) return [`${table.table} is missing`];
    if (same.rows !== table.rows) return [`${table.table} has ${same.rows} rows, and had ${table.rows}`];
    return same.sum === table.sum ? [] : [`${table.table} has other content in its ${table.rows} rows`];
  });
}
