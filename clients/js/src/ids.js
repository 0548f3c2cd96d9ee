/** Names for messages and changes. No I/O. */

const FRESH_MS = 60_000; // the server takes the fast way for names that are not further from its clock
const COUNT_MOST = 4095;

/**
 * Names for messages: UUIDv7 by the server's clock, which the monotonic clock carries on from the last `hello`: a wall clock
 * that is wrong, or jumps later, changes nothing. Each is above the one before, unless that one was made by a clock that was
 * more than a minute ahead.
 */
export class ClientIds {
  /** @type {number | null} The server's time less `performance.now()`. */
  #offsetMs = null;
  #lastMs = 0;
  #count = 0;

  /** @param {string} now the server's time */
  correct(now) {
    this.#offsetMs = Date.parse(now) - performance.now();
  }

  /** The server's time, in milliseconds since 1970, as far as it is known. */
  now() {
    return this.#offsetMs === null ? Date.now() : Math.floor(performance.now() + this.#offsetMs);
  }

  next() {
    const now = this.now();
    if (now > this.#lastMs || this.#lastMs - now > FRESH_MS) [this.#lastMs, this.#count] = [now, 0];
    else if (this.#count < COUNT_MOST) this.#count += 1;
    else [this.#lastMs, this.#count] = [this.#lastMs + 1, 0];
    const random = crypto.getRandomValues(new Uint8Array(8)); // not randomUUID: pages over plain HTTP have none
    random[0] = (random[0] & 0x3f) | 0x80;
    const tail = [...random].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    const time = this.#lastMs.toString(16).padStart(12, '0');
    const count = this.#count.toString(16).padStart(3, '0');
    return `${time.slice(0, 8)}-${time.slice(8)}-7${count}-${tail.slice(0, 4)}-${tail.slice(4)}`;
  }
}
