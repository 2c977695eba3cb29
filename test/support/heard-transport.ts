// A driver's transport without a driver: operations are the test's to start, and what is heard is noted.
import type { DriverTransport, TransportReply } from '../../platform/contracts/index.ts';
import type { Kernel } from '../../platform/kernel/index.ts';

/** Starts the transport and lets time pass until nothing is left to happen. */
export function hearTransport<T extends DriverTransport & { start(): void }>(
  driver: T,
  kernel: Kernel,
) {
  const replies: TransportReply[] = [];
  const heard: string[] = [];
  driver.connect({
    online: () => heard.push('online'),
    offline: (reason) => heard.push(`offline: ${reason}`),
    away: (reason) => heard.push(`away: ${reason}`),
    reply: (reply) => replies.push(reply),
    used: (queue) => heard.push(`used ${queue}`),
    configChanged: (status) => heard.push(`config ${status}`),
  });
  const run = () => kernel.runUntil(Infinity);
  /** Asks for something and returns what is replied. */
  const ask = (operation: (transport: T) => void): TransportReply => {
    operation(driver);
    run();
    return replies.at(-1)!;
  };
  driver.start();
  run();
  return { driver, replies, heard, run, ask };
}
