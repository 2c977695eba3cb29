export { Backing } from './backing.ts';
export {
  FIRST_GRANT,
  GRANTS_PER_FRAME,
  type GrantDenial,
  GrantFlag,
  GrantTable,
} from './grants.ts';
export { type HandleDenial, MemoryHandles } from './handles.ts';
