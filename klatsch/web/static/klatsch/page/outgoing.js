/** What one has written and the server does not have yet: kept in this browser, sent in its order, and sent again by the client library. */

import { Outbox, placesOf } from './logic/kept.js';

/** @typedef {import('./logic/kept.js').Entry} Entry */
/** @typedef {Pick<Entry, 'conversation' | 'to' | 'content' | 'reply_to'>} Draft */

export class Outgoing {
  /** Whether this tab holds its lock. */
  #isHeld = false;
  #free = () => {};
  /** @type {Promise<void>} */
  #ended = new Promise((resolve) => (this.#free = resolve));
  /** The chat has ended. */
  #isStopped = false;

  /**
   * @param {{storage: import('./logic/kept.js').Store, user: string, onchange: () => void}} options
   */
  constructor({ storage, user, onchange }) {
    this.tab = Math.random().toString(36).slice(2);
    this.outbox = new Outbox(storage, placesOf(user).outbox, this.tab, onchange);
    /** @type {any} */
    this.chat = null;
  }

  /**
   * Sends by this chat from now on, what was left included.
   * @param {any} chat
   */
  async use(chat) {
    this.chat = chat;
    this.#isStopped = false;
    for (const entry of this.outbox.entries) if (!entry.failed) this.#go(entry);
    const alive = await this.#liveTabs();
    if (this.#isOver(chat)) return;
    for (const entry of this.outbox.adopt(alive)) if (!entry.failed) this.#go(entry);
  }

  /** The chat has ended, whatever the reason: what has no answer waits for the next one. */
  stop() {
    this.#isStopped = true;
  }

  /** Leaves what is not sent to whoever signs in next as the same person, in this tab or another one. */
  close() {
    this.#isStopped = true;
    this.#free();
  }

  /**
   * The messages that are not sent in a conversation, or to a person before there is one.
   * @param {string | null} conversation
   * @param {string | null} user
   */
  of(conversation, user) {
    const isThere = (/** @type {Entry} */ entry) => (entry.conversation ? entry.conversation === conversation : entry.to === user);
    return this.outbox.entries.filter((entry) => !entry.edits && isThere(entry));
  }

  /** @param {Draft} draft */
  send(draft) {
    this.#go(this.#keep(draft));
  }

  /**
   * Gives one's own message another text. Rejects with the server's refusal, after which it is not kept. A text that is refused when
   * nobody waits for that any more, or after a reload, is kept as a message is.
   * @param {{id: string, position: string, conversation: string, changed: string}} message as it was seen
   * @param {string} content
   * @param {() => boolean} [isAwaited] whether who has asked can still show the refusal
   */
  async edit({ id, position, conversation, changed }, content, isAwaited = () => true) {
    const { chat } = this;
    const entry = this.#keep({ conversation, content, edits: { id, position, base: changed } });
    try {
      await this.#say(entry);
    } catch (error) {
      if (this.#isOver(chat)) return;
      if (!isAwaited()) return this.#refuse(entry, error);
      this.outbox.remove(entry.client_id);
      throw error;
    }
  }

  /**
   * Sends what was refused once more, under another name: the first one is used up. An edit then counts over those of other places.
   * @param {string} client_id
   */
  retry(client_id) {
    const entry = this.outbox.get(client_id);
    if (!entry) return;
    this.outbox.remove(client_id);
    const { conversation, to, content, reply_to, edits } = entry;
    this.#go(this.#keep({ conversation, to, content, reply_to, ...(edits ? { edits: { ...edits, base: undefined } } : {}) }));
  }

  /** Takes back what was refused. @param {string} client_id */
  drop(client_id) {
    this.outbox.remove(client_id);
  }

  /** @param {Draft & Pick<Entry, 'edits'>} draft @returns {Entry} */
  #keep(draft) {
    const entry = { ...draft, client_id: this.chat.name(), at: new Date().toISOString(), failed: null };
    this.outbox.add(entry);
    return entry;
  }

  /** @param {Entry} entry */
  async #go(entry) {
    const { chat } = this;
    try {
      await this.#say(entry);
    } catch (error) {
      if (!this.#isOver(chat)) this.#refuse(entry, error);
    }
  }

  /** @param {Entry} entry @param {any} error */
  #refuse({ client_id }, { code, message }) {
    this.outbox.fail(client_id, { code, detail: message });
  }

  /**
   * Tells whether that chat has ended, so that what it rejects with is no refusal. The reason does not tell: a proxy without a server
   * behind it for a moment ends a chat with `not_found` or `stopped`, as a refused message may.
   * @param {any} chat
   */
  #isOver(chat) {
    return chat !== this.chat || this.#isStopped;
  }

  /** @param {Entry} entry */
  async #say({ client_id, conversation, to, content, reply_to, edits }) {
    if (edits) {
      const { base, ...place } = edits;
      await this.chat.edit({ ...place, conversation }, content, { base, client_id });
    } else {
      await this.chat.send({ client_id, ...(conversation ? { conversation } : { to }), content, ...(reply_to ? { reply_to } : {}) });
    }
    this.outbox.remove(client_id);
  }

  /** The tabs that run, by the lock that each holds. Without locks (plain HTTP) none: sending twice under one name is one message. */
  async #liveTabs() {
    const { locks } = navigator;
    if (!locks) return [];
    const name = 'klatsch.tab.';
    if (!this.#isHeld) locks.request(name + this.tab, () => this.#ended);
    this.#isHeld = true;
    const { held = [] } = await locks.query();
    return held.map((lock) => lock.name ?? '').filter((lock) => lock.startsWith(name)).map((lock) => lock.slice(name.length));
  }
}
