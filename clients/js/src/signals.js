/** What one shows and says that nobody keeps: which conversations are open, whom one watches, that one types. No I/O. */

const TYPING_EVERY_MS = 3_000;
const PAUSE_MS = 1_000;

/** Operations that hold for a connection, and the frame ids under which this module asks for them. */
export const SHOWN = new Set(['open', 'presence']);

export class Signals {
  /** @type {Map<string, any>} By operation: they are said again on the next connection. */
  #bodies = new Map();

  /** @type {Map<string, number>} When each is to be said, in milliseconds of `performance.now()`. */
  #due = new Map();

  /** @type {Map<string, boolean>} By conversation: said now or never. */
  #typing = new Map();

  /** @type {Map<string, number>} When one may say again that one types. */
  #rests = new Map();

  /**
   * @param {'open' | 'presence'} op
   * @param {any} body
   */
  want(op, body) {
    this.#bodies.set(op, body);
    this.#due.set(op, 0);
  }

  /**
   * Opens the others alone: the server refuses all of them for one to which the person does not belong.
   * @param {string} conversation
   */
  leave(conversation) {
    const opened = this.#bodies.get('open')?.conversations ?? [];
    const others = opened.filter((/** @type {string} */ name) => name !== conversation);
    if (others.length < opened.length) this.want('open', { conversations: others });
  }

  /**
   * @param {string} conversation
   * @param {boolean} on
   * @param {number} now
   */
  type(conversation, on, now) {
    if (on && now < (this.#rests.get(conversation) ?? 0)) return;
    for (const [key, until] of this.#rests) if (until <= now || key === conversation) this.#rests.delete(key);
    if (on) this.#rests.set(conversation, now + TYPING_EVERY_MS);
    this.#typing.set(conversation, on);
  }

  /**
   * The frames to write now.
   * @param {number} now
   * @returns {Generator<string>}
   */
  *due(now) {
    for (const [op, at] of this.#due) {
      if (at > now) continue;
      this.#due.set(op, Infinity);
      yield JSON.stringify({ id: op, op, d: this.#bodies.get(op) });
    }
    for (const [conversation, on] of this.#typing) yield JSON.stringify({ op: 'typing', d: { conversation, on } });
    this.#typing.clear();
  }

  /** When there is something to write again. */
  get nextDue() {
    return Math.min(Infinity, ...this.#due.values());
  }

  /**
   * What may succeed later is asked for again.
   * @param {any} frame
   * @param {number} now
   */
  answer({ re, err }, now) {
    if (err?.temporary) this.#due.set(re, now + (err.retry_after == null ? PAUSE_MS : err.retry_after * 1000));
  }

  lost() {
    for (const op of this.#bodies.keys()) this.#due.set(op, 0);
    this.#typing.clear();
    this.#rests.clear();
  }
}
