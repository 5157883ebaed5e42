/**
 * Timers in order of their deadlines: a binary heap in which each entry knows its place, so that a cancelled timer leaves at once
 * (a guest that re-arms a far deadline a million times must not leave a million entries behind).
 */

/** One entry; `place` is its index in the heap, or -1 when it is not in it. */
export interface QueuedTimer {
  readonly deadline: number;
  readonly label: string;
  readonly order: number;
  readonly callback: () => void;
  place: number;
}

/** Deadline first; at the same time by label, and only then by insertion: labels survive a restore, insertion order does not. */
function before(a: QueuedTimer, b: QueuedTimer): boolean {
  if (a.deadline !== b.deadline) return a.deadline < b.deadline;
  if (a.label !== b.label) return a.label < b.label;
  return a.order < b.order;
}

/** A priority queue of timers. */
export class TimerQueue {
  readonly #heap: QueuedTimer[] = [];

  /** The timer that is due first. */
  get first(): QueuedTimer | undefined {
    return this.#heap[0];
  }

  /** How many timers wait. */
  get size(): number {
    return this.#heap.length;
  }

  /** Adds a timer that is in no queue. */
  add(timer: QueuedTimer): void {
    this.#heap.push(timer);
    timer.place = this.#heap.length - 1;
    this.#rise(timer);
  }

  /** Takes a timer out; one that already left is let be. */
  remove(timer: QueuedTimer): void {
    const place = timer.place;
    if (place < 0) return;
    timer.place = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === timer) return;
    this.#put(last, place);
    this.#rise(last);
    this.#sink(last);
  }

  #put(timer: QueuedTimer, place: number): void {
    this.#heap[place] = timer;
    timer.place = place;
  }

  #rise(timer: QueuedTimer): void {
    while (timer.place > 0) {
      const place = timer.place;
      const parent = this.#heap[(place - 1) >> 1];
      if (before(parent, timer)) return;
      this.#put(timer, parent.place);
      this.#put(parent, place);
    }
  }

  #sink(timer: QueuedTimer): void {
    for (;;) {
      const place = timer.place;
      const left = this.#heap[2 * place + 1] as QueuedTimer | undefined;
      const right = this.#heap[2 * place + 2] as QueuedTimer | undefined;
      const child = left !== undefined && right !== undefined && before(right, left) ? right : left;
      if (child === undefined || before(timer, child)) return;
      this.#put(timer, child.place);
      this.#put(child, place);
    }
  }
}
