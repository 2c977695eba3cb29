// What the driver of a balloon tells those who want to know.

/** Whoever wants to know what the balloon does. */
export interface BalloonClient {
  balloonReady(): void;
  /** The target has changed, or is there for the first time. */
  balloonTarget(pages: number): void;
  /** The balloon has the size it is to have; `held` pages are in it. */
  balloonSettled(held: number): void;
  /** Pages came back out of the balloon: memory may be free now. */
  balloonReleased(): void;
  /** What the device's configuration says, as asked for by `inspect`. */
  balloonInspected(numPages: number, actual: number): void;
  balloonDown(reason: string): void;
}
