/** Who types and who is online, as far as a view was told. */

const TYPING_MS = 8_000; // for so long somebody types who has not said so again

export class People {
  /** @type {Map<string, Map<string, ReturnType<typeof setTimeout>>>} By conversation and user, until it ends by itself. */
  #typing = new Map();

  /** @type {Map<string, boolean>} */
  #online = new Map();

  /** @type {(conversation: string) => void} */
  #onended;

  /** @param {(conversation: string) => void} onended told when somebody's typing has ended by itself */
  constructor(onended) {
    this.#onended = onended;
  }

  /**
   * Those who type there now.
   * @param {string} conversation
   */
  typing(conversation) {
    return [...(this.#typing.get(conversation)?.keys() ?? [])];
  }

  /**
   * @param {string} username
   * @returns {boolean | undefined} undefined while that is not known
   */
  isOnline(username) {
    return this.#online.get(username);
  }

  /** @param {{conversation: string, user: string, on?: boolean}} typing */
  type({ conversation, user, on = true }) {
    let timers = this.#typing.get(conversation);
    if (!timers) this.#typing.set(conversation, (timers = new Map()));
    clearTimeout(timers.get(user));
    timers.delete(user);
    if (on) {
      const timer = setTimeout(() => (this.type({ conversation, user, on: false }), this.#onended(conversation)), TYPING_MS);
      if (typeof timer === 'object') timer.unref?.(); // in Node, where it would keep the process
      timers.set(user, timer);
    }
    if (timers.size === 0) this.#typing.delete(conversation);
  }

  /** @param {{online: string[], offline: string[], whole?: boolean}} presence */
  show({ online, offline, whole }) {
    if (whole) this.#online.clear();
    for (const name of online) this.#online.set(name, true);
    for (const name of offline) this.#online.set(name, false);
  }

  /** Nobody is known to type or to be online. */
  forget() {
    for (const timers of this.#typing.values()) for (const timer of timers.values()) clearTimeout(timer);
    this.#typing.clear();
    this.#online.clear();
  }
}
