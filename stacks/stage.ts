/**
 * How much of the program a run makes: all of it, or the machines with their cluster and nothing in it. A restore does the
 * latter first, to put back what has to be there before anything of the platform starts.
 */
export type Stage = "all" | "cluster";

const variable = "GROUNDWORK_STAGE";

/** The environment of an engine whose program stops at a stage. */
export const untilStage = (stage: Stage): NodeJS.ProcessEnv => ({ [variable]: stage });

/** The stage that this run of the program goes to. @throws where it is named wrongly */
export function stageOfRun(): Stage {
  const given = process.env[variable] ?? "all";
  if (given === "all" || given === "cluster") return given;
  throw new Error(`${variable} is "${given}": it must be all or cluster`);
}
