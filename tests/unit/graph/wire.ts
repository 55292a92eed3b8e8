export * from "../../../policies/capture/wire";
