export { Backing } from './backing.ts';
export {
  FIRST_GRANT,
  GRANT_OKAY,
  GRANTS_PER_FRAME,
  type GrantDenial,
  GrantFlag,
  GrantTable,
  grantDenials,
} from './grants.ts';
export {
  type HandleDenial,
  MemoryHandles,
  SHARING_MODES,
  type ShareRequest,
  type SharingMode,
} from './handles.ts';
export { LineTally } from './line-tally.ts';
export { Segments } from './segments.ts';
