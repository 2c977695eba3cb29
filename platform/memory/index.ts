export { Backing } from './backing.ts';
export { type HandleDenial, MemoryHandles } from './handles.ts';
