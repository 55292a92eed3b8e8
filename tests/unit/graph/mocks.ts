export * from "../../../policies/capture/mocks";
