import { Bytes, Cpu, NamespaceQuota, ResourceNeeds } from "../workload";

const millicores = (cpu: string): number => (cpu.endsWith("m") ? Number.parseInt(cpu, 10) : Number(cpu) * 1000);
const mebibytes = (size: string): number => Number.parseInt(size, 10) * (size.endsWith("Gi") ? 1024 : 1);

/** What so many pods of containers of these sizes need together, with room for others in the namespace. */
export function quotaOf(
  pods: { count: number; containers: ResourceNeeds[] },
  storage: Bytes[],
  room: { pods: number; needs?: ResourceNeeds } = { pods: 1 },
): NamespaceQuota {
  const all = [
    ...Array.from({ length: pods.count }, () => pods.containers).flat(),
    ...(room.needs ? [room.needs] : []),
  ];
  const sum = (side: "requests" | "limits", what: "cpu" | "memory" | "ephemeral-storage"): number =>
    all.reduce((total, needs) => total + (what === "cpu" ? millicores : mebibytes)(needs[side][what]), 0);
  const amounts = (side: "requests" | "limits"): { cpu: Cpu; memory: Bytes } => ({
    cpu: `${sum(side, "cpu")}m`,
    memory: `${sum(side, "memory")}Mi`,
  });
  return {
    pods: pods.count + room.pods,
    requests: amounts("requests"),
    limits: amounts("limits"),
    storage: `${storage.reduce((total, size) => total + mebibytes(size), 0)}Mi`,
    localDisk: `${sum("limits", "ephemeral-storage")}Mi`,
  };
}
