export * from "../../../policies/report/run";
