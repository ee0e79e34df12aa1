/**
 * What went wrong, a line each on standard error.
 *
 * @module
 */

export class Failures {
  count = 0;

  report(error: unknown): void {
    this.count++;
    console.error(`mmap-ffi: ${error instanceof Error ? error.message : error}`);
  }

  /** Runs `act`; what it throws is reported. */
  attempt(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.report(error);
    }
  }
}
