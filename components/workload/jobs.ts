import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import { transformed } from "./serving";
import { ContainerArgs, Transform } from "./types";
import { Workload, WorkloadArgs } from "./workload";

/** What jobs of both kinds take. */
export interface JobLimits {
  /** Pods that may fail before the job has. @default 3 */
  retries?: number;
  /** Seconds after which a job is stopped and has failed. @default 600 */
  deadline?: number;
}

export interface HardenedJobArgs extends WorkloadArgs<ContainerArgs>, JobLimits {
  transform?: { job?: Transform<k8s.batch.v1.JobArgs> };
}

export interface HardenedCronJobArgs extends WorkloadArgs<ContainerArgs>, JobLimits {
  /** Five fields of cron, in UTC. */
  schedule: string;
  /** @default false */
  suspend?: boolean;
  transform?: { cronJob?: Transform<k8s.batch.v1.CronJobArgs> };
}

/** A pod that runs once to its end. A change replaces it, since a Job's template can't be changed. */
export class HardenedJob extends Workload {
  /** Known once the job has succeeded. */
  readonly ready: pulumi.Output<string>;

  constructor(name: string, args: HardenedJobArgs, opts?: pulumi.ComponentResourceOptions) {
    super("HardenedJob", name, args, opts);
    const job = new k8s.batch.v1.Job(
      name,
      transformed(args.transform?.job, {
        metadata: { name, namespace: this.namespace.name, labels: this.pods },
        spec: planJob(args, this.podTemplate({ restartPolicy: "Never" })),
      }),
      // The name is fixed, so the old one must be gone before the new one is made.
      { ...this.podOptions, deleteBeforeReplace: true },
    );
    this.ready = pulumi.all([job.metadata.uid, job.status]).apply(([uid, status]) => succeeded(uid, status));
    this.registerOutputs({ ready: this.ready });
  }
}

/**
 * A dry run of the API server gives a job its uid before it has run: in a preview what the job makes is not there yet, and
 * nobody may look for it.
 */
function succeeded(uid: string, status: k8s.types.output.batch.v1.JobStatus | undefined): string {
  const hasRun = !pulumi.runtime.isDryRun() || (status?.succeeded ?? 0) > 0;
  return hasRun ? uid : (pulumi.unknown as unknown as string);
}

/** A job on a timetable, never two at once. */
export class HardenedCronJob extends Workload {
  constructor(name: string, args: HardenedCronJobArgs, opts?: pulumi.ComponentResourceOptions) {
    super("HardenedCronJob", name, args, opts);
    new k8s.batch.v1.CronJob(
      name,
      transformed(args.transform?.cronJob, {
        metadata: { name, namespace: this.namespace.name, labels: this.pods },
        spec: {
          schedule: args.schedule,
          timeZone: "Etc/UTC",
          suspend: args.suspend ?? false,
          concurrencyPolicy: "Forbid",
          startingDeadlineSeconds: 300,
          successfulJobsHistoryLimit: 1,
          failedJobsHistoryLimit: 3,
          jobTemplate: { spec: planJob(args, this.podTemplate({ restartPolicy: "Never" })) },
        },
      }),
      this.podOptions,
    );
    this.registerOutputs({});
  }
}

function planJob(
  limits: JobLimits,
  template: k8s.types.input.core.v1.PodTemplateSpec,
): k8s.types.input.batch.v1.JobSpec {
  return {
    backoffLimit: limits.retries ?? 3,
    activeDeadlineSeconds: limits.deadline ?? 600,
    template,
  };
}
