// One function of a card: configuration space, memory behind its BARs, and interrupts. What the BARs
// mean is its model's business.

import { CAPABILITY_ID, CONTROL_FUNCTION_RESET, EXPRESS } from './config-registers.ts';
import type { ConfigSpace } from './config-space.ts';
import type { InterruptSender } from './interrupt-sender.ts';

/** What a function does with accesses of software. */
export interface FunctionModel {
  /** Fills `target` with `length` bytes of a BAR. */
  readBar(bar: number, offset: number, target: Uint8Array, length: number): void;
  /** The bytes are valid only during the call. */
  writeBar(bar: number, offset: number, source: Uint8Array, length: number): void;
  /** False for bytes of a BAR that nothing is behind: nobody answers; true for all when left out. */
  claims?(bar: number, offset: number, length: number): boolean;
  /** Power-on, or a function-level reset. */
  reset(): void;
  /** Configuration space is about to be read. */
  readingConfig?(offset: number, size: number): void;
  /** Configuration space was written. */
  configWritten?(offset: number, size: number): void;
}

export class PcieFunction {
  readonly id: number;
  readonly config: ConfigSpace;
  readonly model: FunctionModel;
  readonly interrupts: InterruptSender;

  constructor(
    id: number,
    parts: {
      readonly config: ConfigSpace;
      readonly model: FunctionModel;
      readonly interrupts: InterruptSender;
    },
  ) {
    this.id = id;
    this.config = parts.config;
    this.model = parts.model;
    this.interrupts = parts.interrupts;
    const { config, interrupts, model } = parts;
    config.reading = (offset, size) => model.readingConfig?.(offset, size);
    config.written = (offset, size) => {
      interrupts.configWritten(offset, size);
      model.configWritten?.(offset, size);
    };
  }

  /** Takes a configuration write; true when it asks for a function-level reset. */
  writeConfig(offset: number, size: number, value: number): boolean {
    const control = this.config.capability(CAPABILITY_ID.express) + EXPRESS.deviceControl;
    this.config.write(offset, size, value);
    return offset === control && (value & CONTROL_FUNCTION_RESET) !== 0;
  }

  /** Puts everything back to what it was at power-on. */
  reset(): void {
    this.config.reset();
    this.interrupts.reset();
    this.model.reset();
  }
}
