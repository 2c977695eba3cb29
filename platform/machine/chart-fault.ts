// The error for a machine that an engine refuses.
import type { AnyStateMachine } from 'xstate';
import { RunError } from '../errors.ts';

/** Makes the RunError CHART for a machine that cannot be run, for the caller to throw. */
export function fault(machine: AnyStateMachine, text: string): RunError {
  return new RunError('CHART', `machine ${machine.id}: ${text}`);
}
