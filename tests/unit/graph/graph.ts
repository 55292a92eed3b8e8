export * from "../../../policies/capture/graph";
