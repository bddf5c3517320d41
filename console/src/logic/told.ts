/** What was told while a question was under way: its answer may be from before. */
export class Told<Event> {
  #events: Event[] = [];
  /** Number of the first one that is kept. */
  #first = 0;

  /** Number of the next one. */
  get end(): number {
    return this.#first + this.#events.length;
  }

  add(event: Event): void {
    this.#events.push(event);
  }

  /** Those from a number on, as far as they are kept. */
  since(number: number): Event[] {
    return this.#events.slice(Math.max(0, number - this.#first));
  }

  /** Keeps those from a number on. */
  forgetBefore(number: number): void {
    this.#events = this.since(number);
    this.#first = Math.max(this.#first, number);
  }
}
