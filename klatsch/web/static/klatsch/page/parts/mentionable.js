/** Who may be mentioned in a conversation. The list has the first members of a group; the others are asked for when they are wanted. */

import { get } from '../api.js';
import { session } from '../session.js';

export class Mentionable {
  /** @type {string | null} */
  #of = null;
  /** @type {string[]} */
  #names = [];

  /**
   * @param {string | null} id of the conversation
   * @param {any[]} messages whose senders come first, the last one at once
   */
  people(id, messages) {
    const conversation = session.store.conversations.get(id ?? '');
    const known = namesOf(conversation?.members ?? []);
    if (conversation && conversation.member_count > known.length && this.#of !== id) this.#load(/** @type {string} */ (id));
    const others = this.#of === id ? this.#names : [];
    return { me: session.me?.username ?? '', members: [...new Set([...known, ...others])], recent: messages.map(({ sender }) => sender).reverse() };
  }

  /** @param {string} id */
  async #load(id) {
    this.#of = id;
    this.#names = [];
    const { results } = await get(`conversations/${id}/members`).catch(() => ({ results: [] }));
    if (this.#of === id) this.#names = namesOf(results);
  }
}

/** @param {{user: string}[]} members */
const namesOf = (members) => members.map(({ user }) => user);
