/** What one has written and the server does not have yet: kept in this browser, sent in its order, and sent again by the client library. */

import { Outbox } from './logic/kept.js';

/** @typedef {import('./logic/kept.js').Entry} Entry */
/** @typedef {{conversation?: string, to?: string, content: string, reply_to?: string | null}} Draft */

export class Outgoing {
  /** Whether this tab holds its lock. */
  #isHeld = false;

  /**
   * @param {{storage: import('./logic/kept.js').Store, user: string, onchange: () => void}} options
   */
  constructor({ storage, user, onchange }) {
    this.tab = Math.random().toString(36).slice(2);
    this.outbox = new Outbox(storage, `klatsch.${user}.outbox.`, this.tab, onchange);
    /** @type {any} */
    this.chat = null;
  }

  /**
   * Sends by this chat from now on, what was left included.
   * @param {any} chat
   */
  async use(chat) {
    this.chat = chat;
    for (const entry of this.outbox.entries) if (!entry.failed) this.#go(entry);
    const alive = await this.#liveTabs();
    for (const entry of this.outbox.adopt(alive)) if (!entry.failed) this.#go(entry);
  }

  /**
   * What is not sent in a conversation, or to a person before there is one.
   * @param {string | null} conversation
   * @param {string | null} user
   */
  of(conversation, user) {
    return this.outbox.entries.filter((entry) => (entry.conversation ? entry.conversation === conversation : entry.to === user));
  }

  /** @param {Draft} draft */
  send(draft) {
    const entry = { ...draft, client_id: this.chat.name(), at: new Date().toISOString(), failed: null };
    this.outbox.add(entry);
    this.#go(entry);
    return entry;
  }

  /** Sends what was refused once more, under another name: the first one is used up. @param {string} client_id */
  retry(client_id) {
    const entry = this.outbox.get(client_id);
    if (!entry) return;
    this.outbox.remove(client_id);
    const { conversation, to, content, reply_to } = entry;
    this.send({ conversation, to, content, reply_to });
  }

  /** Takes back what was refused. @param {string} client_id */
  drop(client_id) {
    this.outbox.remove(client_id);
  }

  /** @param {Entry} entry */
  async #go({ client_id, conversation, to, content, reply_to }) {
    const { chat } = this;
    try {
      await chat.send({ client_id, ...(conversation ? { conversation } : { to }), content, ...(reply_to ? { reply_to } : {}) });
      this.outbox.remove(client_id);
    } catch (error) {
      // The chat has ended, by itself or with the session: what is not sent waits for the next one.
      const { code, close } = /** @type {any} */ (error);
      if (code === 'closed' || close !== undefined) return;
      this.outbox.fail(client_id, { code, detail: /** @type {Error} */ (error).message });
    }
  }

  /** The tabs that run, by the lock that each holds. Without locks (plain HTTP) none: sending twice under one name is one message. */
  async #liveTabs() {
    const { locks } = navigator;
    if (!locks) return [];
    const name = 'klatsch.tab.';
    if (!this.#isHeld) locks.request(name + this.tab, () => new Promise(() => {}));
    this.#isHeld = true;
    const { held = [] } = await locks.query();
    return held.map((lock) => lock.name ?? '').filter((lock) => lock.startsWith(name)).map((lock) => lock.slice(name.length));
  }
}
