import * as fs from "node:fs";
import * as path from "node:path";
import { createGunzip } from "node:zlib";
import { pipeline } from "node:stream/promises";
import { root } from "../../cli/paths";
import type { MavenSource, NpmSource, WorkspaceSource } from "../catalogue/types";
import { ArtifactError } from "../errors";
import { readTar, TarWriter } from "../image/tar";
import { run } from "../run";
import type { Built, BuildContext } from "./context";

/** Takes one file out of a package of the npm registry; npm checks the tarball's integrity. */
export async function npm(source: NpmSource, context: BuildContext): Promise<Built> {
  const wanted = `${source.package}@${source.version}`;
  const folder = path.join(context.scratch, "npm");
  fs.mkdirSync(folder);
  await run("npm", ["pack", wanted, "--silent", "--pack-destination", folder], {
    what: context.entry.name,
    log: context.log,
    cwd: context.scratch,
  });
  const [tarball] = fs.readdirSync(folder);
  if (tarball === undefined) throw new ArtifactError(`${context.entry.name}: npm pack ${wanted} made no tarball`);
  let found = false;
  await readTar(fs.createReadStream(path.join(folder, tarball)).pipe(createGunzip()), async (header, content) => {
    const wantedHere = header.name === `package/${source.path}`;
    found ||= wantedHere;
    if (!wantedHere) content.resume();
    else await pipeline(content, fs.createWriteStream(path.join(context.out, context.entry.file)));
  });
  if (!found) throw new ArtifactError(`${context.entry.name}: the package ${wanted} has no file ${source.path}`);
  return { source: `npm ${wanted}` };
}

/** Collects Maven artefacts and what they need at run time into one tar of jars; Maven checks each against its checksum. */
export async function maven(source: MavenSource, context: BuildContext): Promise<Built> {
  const dependencies = source.coordinates.map((coordinate) => {
    const [group, artifact, version] = coordinate.split(":");
    return `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;
  });
  const pom = path.join(context.scratch, "pom.xml");
  fs.writeFileSync(
    pom,
    `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>groundwork</groupId>` +
      `<artifactId>${context.entry.name}</artifactId><version>1</version>` +
      `<dependencies>${dependencies.join("")}</dependencies></project>`,
  );
  const jars = path.join(context.scratch, "jars");
  const repository =
    process.env["GROUNDWORK_KEEP_BUILD_CACHES"] === "1"
      ? []
      : [`-Dmaven.repo.local=${path.join(context.scratch, "m2")}`];
  const goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", `-DoutputDirectory=${jars}`];
  await run("mvn", ["--batch-mode", "--strict-checksums", "--file", pom, ...repository, ...goal], {
    what: context.entry.name,
    log: context.log,
    cwd: context.scratch,
  });
  const writer = new TarWriter(path.join(context.out, context.entry.file));
  for (const name of fs.readdirSync(jars).sort()) await writer.addFile({ name }, path.join(jars, name));
  await writer.close();
  return { source: `Maven ${source.coordinates.join(" ")}` };
}

/** Runs a workspace's npm script and keeps what it makes. */
export async function workspace(source: WorkspaceSource, context: BuildContext): Promise<Built> {
  await run("npm", ["run", "--silent", "--workspace", source.workspace, source.script], {
    what: context.entry.name,
    log: context.log,
    cwd: root,
  });
  const made = path.join(root, source.workspace, source.output);
  if (!fs.existsSync(made)) {
    throw new ArtifactError(
      `${context.entry.name}: npm run ${source.script} made no ${source.workspace}/${source.output}`,
    );
  }
  fs.copyFileSync(made, path.join(context.out, context.entry.file));
  return { source: `${source.workspace}, npm run ${source.script}` };
}
