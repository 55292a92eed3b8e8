export * from "../../../policies/capture/capture";
