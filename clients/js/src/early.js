/** Changes of messages that a view has not: a page with them may be on its way. No I/O. */

const MOST = 1_000;

/** @typedef {import('./deltas.js').Delta} Delta */

/** Keeps the last changes, however many messages they are of. */
export class Early {
  /** @type {Map<string, Delta[]>} By message. */
  #deltas = new Map();
  #count = 0;

  /** @param {Delta} delta */
  put(delta) {
    const others = this.#deltas.get(delta.d.id);
    if (others) others.push(delta);
    else this.#deltas.set(delta.d.id, [delta]);
    this.#count += 1;
    if (this.#count > MOST) this.#drop();
  }

  /**
   * Forgets the changes of a message, and returns them.
   * @param {string} message its id
   */
  take(message) {
    const deltas = this.#deltas.get(message) ?? [];
    this.#deltas.delete(message);
    this.#count -= deltas.length;
    return deltas;
  }

  /** Forgets the first change of the message that came first. */
  #drop() {
    const [[message, deltas]] = this.#deltas;
    deltas.shift();
    if (deltas.length === 0) this.#deltas.delete(message);
    this.#count -= 1;
  }
}
