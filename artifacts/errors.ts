/** An error whose message is all that a person needs: it is shown without a stack trace. */
export class ArtifactError extends Error {
  override name = "ArtifactError";
  /** What the command line goes by. */
  readonly userError = true;
}

/** Upstream could not be reached, or would not hand the file out: the next source may be tried, said in one line. */
export class Unavailable extends ArtifactError {
  override name = "Unavailable";
}

/** A person or a service manager asked for the end; what was finished is kept. */
export class Interrupted extends ArtifactError {
  override name = "Interrupted";
  constructor() {
    super("interrupted; what was finished is kept, and the next run goes on from there");
  }
}

/** Never a reason to try another source: either upstream changed a release, or somebody stands in between. */
export class ChecksumMismatch extends ArtifactError {
  override name = "ChecksumMismatch";
  constructor(name: string, from: string, expected: string, actual: string, expectedBy: string) {
    super(
      [
        `${name}: the checksum of ${from} is wrong, so it was thrown away.`,
        `  expected ${expected} (${expectedBy})`,
        `  received ${actual}`,
        `Try once more, in case the download was damaged. If it happens again, upstream may have replaced the release or`,
        `something on the way may be changing it: compare with upstream's published checksum, and only if that is the`,
        `received one run \`npm run artifacts -- fetch ${name} --update-lock\` and have the change of artifacts/lock.json reviewed.`,
      ].join("\n"),
    );
  }
}

/** A build or tool failed: what, the end of what it printed, and where the rest is. */
export class CommandFailed extends ArtifactError {
  override name = "CommandFailed";
  constructor(what: string, command: string, reason: string, lastLines: string[], log: string) {
    super(
      [`${what}: ${command} ${reason}. It ended with:`, ...lastLines.map((line) => `  ${line}`), `Log: ${log}`].join(
        "\n",
      ),
    );
  }
}
