/** What has come and was not given to the application yet: bounded, and given once. No I/O. */

import { DELTAS } from './deltas.js';

/** @typedef {import('./client.js').ChatEvent} ChatEvent */

/**
 * Holds `most` events. When it is full, what comes is not kept, and `filled` is called unless a send needs the socket; when all was
 * taken then, `emptied` is called, to resume from the last resume mark among what was taken.
 */
export class Queue {
  /** @type {ChatEvent[]} */
  #events;
  #known;
  #loads;
  #sends;
  #most;

  /**
   * @param {number} most
   * @param {{known: import('./known.js').Known, loads: import('./loads.js').Loads, sends: import('./sends.js').Sends}} parts
   * @param {ChatEvent[]} refused what was refused and was not given before a restore
   */
  constructor(most, { known, loads, sends }, refused) {
    this.#events = refused;
    this.#most = most;
    this.#known = known;
    this.#loads = loads;
    this.#sends = sends;
    this.isFull = false;
    this.filled = () => {};
    this.emptied = () => {};
  }

  /** @param {ChatEvent} event */
  put(event) {
    const last = this.#events.length - 1;
    if (event.t === 'mark' && this.#events[last]?.t === 'mark' && !this.isFull) this.#events[last] = event;
    else if (!this.isFull && (last + 1 < this.#most || this.#makeRoom())) this.#events.push(event);
    else this.#overflow(event);
  }

  /** What was not given comes again, as it stands at or behind the token that is shown: but refusals. */
  resume() {
    if (!this.isFull) this.#keep(({ t }) => t === 'refused');
  }

  /** @returns {ChatEvent[]} what nothing says again */
  save() {
    return this.#events.filter(({ t }) => t === 'refused');
  }

  /** Drops what waits and was given before: a replay may begin with more of that than the queue holds. */
  #makeRoom() {
    const isTrue = !this.#events.some(({ t }) => t === 'reset'); // after which what was given counts for nothing
    if (isTrue) this.#keep((event) => !this.#known.has(event));
    return this.#events.length < this.#most;
  }

  /** @param {(event: ChatEvent) => boolean} isWanted */
  #keep(isWanted) {
    for (const event of this.#events) if (!isWanted(event)) this.#sends.settle(event);
    this.#events = this.#events.filter(isWanted);
  }

  /** @param {ChatEvent} event */
  #overflow(event) {
    this.isFull = true;
    this.#sends.settle(event);
    if (event.t === 'refused') this.#events.push(event); // the window bounds these; nothing else says it again
    if (this.#sends.isEmpty) this.filled();
  }

  /**
   * The next event that brings something new, noted as given; null where there is none now.
   * @returns {ChatEvent | null}
   */
  take() {
    for (;;) {
      const loaded = this.#loads.take();
      const event = loaded ?? this.#shift();
      if (!event) break;
      if (this.#give(event, loaded !== null)) return event;
    }
    if (this.#events.length > 0) return null; // a change for which there is no room while its conversation is loaded
    if (this.isFull) {
      this.isFull = false;
      this.emptied();
    }
    return null;
  }

  /** @returns {ChatEvent | undefined} the next one of the queue */
  #shift() {
    const [event] = this.#events;
    if (!event || (this.#isEarly(event) && !this.#known.has(event) && !this.#loads.keep(/** @type {any} */ (event)))) return;
    this.#sends.settle(event);
    return this.#events.shift();
  }

  /**
   * Whether this is a change in a conversation that is loaded anew: a page that was written before it may still come. So it does not
   * count as given, and comes again behind that page.
   * @param {ChatEvent} event
   */
  #isEarly({ t, d }) {
    return DELTAS.has(t) && this.#loads.has(d.conversation);
  }

  /**
   * @param {ChatEvent} event
   * @param {boolean} isLoaded whether it is of a page, or was kept for it: then a resume mark may have come since
   * @returns {boolean} whether it brings something new
   */
  #give(event, isLoaded) {
    if (isLoaded && DELTAS.has(event.t)) return true;
    if (event.t === 'refused' || event.t === 'loaded') return true;
    if (event.t === 'mark') this.#known.takeToken(event.resume ?? '', { forget: this.#loads.isEmpty });
    else if (event.t === 'reset') {
      this.#known.reset(event.d.conversations);
      this.#loads.add(event.d);
    } else if (this.#known.has(event)) return false;
    else if (!this.#isEarly(event)) this.#known.give(event);
    return true;
  }
}
