export { constantTable, PLATFORM_TIMING } from './constants.ts';
export { type Charges, type CostId, Costs, mergeCharges } from './costs.ts';
export { DEVICE_FETCH } from './device-fetch.ts';
export { type ChargedConstant, type EvidenceSummary, summariseEvidence } from './evidence.ts';
export {
  type Dimension,
  describeDimension,
  dimensionOfUnit,
  isWithin,
  limitsText,
  parseCount,
  parseQuantity,
  type QuantityError,
  type QuantityErrorCode,
  type QuantityResult,
  quantityPattern,
  unitNames,
  writeQuantity,
} from './units.ts';
