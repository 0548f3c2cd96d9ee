/** The list of one's conversations, in its order. No DOM. */

/** @typedef {any} Conversation as GET /conversations answers it */

export class Conversations {
  /** @type {Map<string, Conversation>} */
  #byId = new Map();

  /** @type {Conversation[]} The last active one first. */
  #order = [];

  get all() {
    return this.#order;
  }

  /** @param {string} id @returns {Conversation | undefined} */
  get(id) {
    return this.#byId.get(id);
  }

  /**
   * Takes a conversation as the server answers it.
   * @param {Conversation} conversation
   */
  put(conversation) {
    this.remove(conversation.id);
    this.#byId.set(conversation.id, conversation);
    this.#order.splice(this.#placeOf(conversation), 0, conversation);
  }

  /**
   * Changes fields of one that is here, and moves it where it then belongs.
   * @param {string} id
   * @param {Partial<Conversation>} fields
   */
  change(id, fields) {
    const known = this.#byId.get(id);
    if (known) this.put({ ...known, ...fields });
  }

  /** @param {string} id */
  remove(id) {
    const known = this.#byId.get(id);
    if (!known) return;
    this.#byId.delete(id);
    this.#order.splice(this.#order.indexOf(known), 1);
  }

  /** @param {string} username the direct conversation with that person */
  direct(username) {
    const wanted = username.toLowerCase();
    return this.#order.find(({ kind, members }) =>
      kind === 'direct' && members.some((/** @type {any} */ member) => member.user.toLowerCase() === wanted));
  }

  /** Unread messages in all that are not muted; "1000+" counts as 1,000. */
  unread(/** @type {Date} */ now) {
    return this.#order.reduce((sum, one) => sum + (isMuted(one, now) ? one.mentions : countOf(one.unread)), 0);
  }

  /** @param {Conversation} conversation */
  #placeOf(conversation) {
    let [low, high] = [0, this.#order.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isBefore(this.#order[middle], conversation)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** @param {Conversation} one @param {Conversation} other */
function isBefore(one, other) {
  return one.updated_at === other.updated_at ? one.id > other.id : one.updated_at > other.updated_at;
}

/** @param {number | string} unread */
export const countOf = (unread) => Number.parseInt(String(unread), 10) || 0;

/** @param {Conversation} conversation @param {Date} now */
export function isMuted({ muted_until }, now) {
  return Boolean(muted_until) && new Date(muted_until) > now;
}

/**
 * The other person of a direct conversation; oneself in a conversation with oneself; null in a group.
 * @param {Conversation} conversation
 * @param {string} me
 * @returns {string | null}
 */
export function otherOf({ kind, members }, me) {
  if (kind !== 'direct') return null;
  return members.find((/** @type {any} */ member) => member.user !== me)?.user ?? members[0]?.user ?? null;
}

/** @param {Conversation} conversation @param {string} me */
export const nameOf = (conversation, me) => conversation.title || otherOf(conversation, me) || '';
