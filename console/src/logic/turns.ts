/**
 * One try at a time. Who asks for another one while a try is under way gets one that begins after it: what is under way may have
 * been answered before the thing they want to see happened.
 */
export class Turns {
  readonly #once: () => Promise<void>;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(once: () => Promise<void>) {
    this.#once = once;
  }

  /** Tries, and ends when a try has ended that began after this was called. */
  again(): Promise<void> {
    if (!this.#running) return this.#start();
    const go = () => {
      this.#next = undefined;
      return this.again();
    };
    this.#next ??= this.#running.then(go, go);
    return this.#next;
  }

  #start(): Promise<void> {
    const run = this.#once().finally(() => (this.#running = undefined));
    this.#running = run;
    return run;
  }
}
