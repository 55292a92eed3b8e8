export { CloudControllers, type CloudControllersArgs } from "./cloud-controllers";
export { storageClassNames } from "./storage-classes";
