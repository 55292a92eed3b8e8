export * from "../../policies/report/engine-like";
