export { type Access, AccessRunner, type Script } from './access-runner.ts';
export { BarWindow } from './bar-window.ts';
export {
  CAPABILITY_ID,
  type CapabilityPlan,
  CONFIG,
  expressCapability,
  MSIX_VECTORS_MAX,
  msiCapability,
  msixCapability,
  msixPendingOffset,
} from './config-registers.ts';
export {
  type BarPlan,
  ConfigSpace,
  type ConfigSpacePlan,
  type FunctionIdentity,
} from './config-space.ts';
export { Direction } from './direction.ts';
export { DmaEngine } from './dma-engine.ts';
export { Endpoint, type EndpointOptions } from './endpoint.ts';
export { type FunctionModel, PcieFunction } from './function.ts';
export { FunctionProbe } from './function-probe.ts';
export {
  framingBytes,
  GENERATIONS,
  type Generation,
  LANES,
  type Lanes,
  psPerByte,
} from './generation.ts';
export { InterruptSender } from './interrupt-sender.ts';
export { DirectTranslation, Iommu, type Translation } from './iommu.ts';
export type { Lane } from './lane.ts';
export {
  checkPcie,
  type PcieOptions,
  type PciePath,
  pathOf,
  pcieOptions,
} from './options.ts';
export { probeChart } from './probe-chart.ts';
export {
  capabilitiesOf,
  capabilityOf,
  INTERRUPT_KINDS,
  type InterruptKind,
  type ProbedCapability,
  type ProbedFunction,
} from './probe-scripts.ts';
export type { ConfigPlace, LoadClient } from './register-port.ts';
export { MSI_ADDRESS, RootPort } from './root-port.ts';
export { PCIE_LATENCIES, type PcieTiming, pcieTiming, pcieTimingIds } from './timing.ts';
export { READ_COMPLETION_BOUNDARY, readRequestLength, TlpTally } from './tlp.ts';
export { type CardWay, type HostWay, NO_TIME } from './way.ts';
