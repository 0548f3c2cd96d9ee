/** One's conversations and messages, kept up to date by the client library; what views show is read from here. */

import { Chat, View } from '../client.js';
import { Conversations } from './logic/conversations.js';

const PAGE_CONVERSATIONS = 20; // the first screen costs as much with 10,000 conversations as with 20

/**
 * Fires `list` when the conversations are different, `messages` (`detail`: the conversation, or null for any) when messages are,
 * and `status` when the connection comes or goes.
 */
export class Store extends EventTarget {
  #nextPage = '';
  #isLoading = false;

  /** @param {import('./session.js').Me} me */
  constructor(me) {
    super();
    this.me = me;
    this.conversations = new Conversations();
    this.view = new View({ onchange: (conversation) => this.#tell('messages', conversation) });
    this.chat = new Chat({ url: document.baseURI, view: this.view, window: 1, pages: 1 });
    /** @type {{kind: 'connecting' | 'open' | 'lost' | 'ended', reason?: string}} */
    this.status = { kind: 'connecting' };
    this.chat.onstatus = (status, _code, reason) => {
      this.status = { kind: status === 'closed' ? 'ended' : status, reason };
      this.#tell('status');
    };
    this.#run();
    this.loadMore();
  }

  get unread() {
    return this.conversations.unread(new Date());
  }

  get hasMore() {
    return this.#nextPage !== null;
  }

  /** Loads the next page of conversations. */
  async loadMore() {
    if (this.#isLoading || !this.hasMore) return;
    this.#isLoading = true;
    try {
      const page = await this.chat.archive.conversations({ limit: PAGE_CONVERSATIONS, after: this.#nextPage || undefined });
      for (const conversation of page.rows) this.conversations.put(conversation);
      this.#nextPage = page.next;
    } finally {
      this.#isLoading = false;
    }
    this.#tell('list');
  }

  async #run() {
    for await (const event of this.chat.events()) this.#take(event);
  }

  /** @param {any} event */
  #take({ t, d }) {
    if (t !== 'message' && t !== 'sent') return;
    const message = this.view.message(d.id);
    this.conversations.change(message.conversation, { last_message: message, updated_at: message.sent_at });
    this.#tell('list');
  }

  close() {
    this.chat.close();
  }

  /** Removes what is kept in this browser for the person. */
  forget() {}

  /** @param {string} type @param {any} [detail] */
  #tell(type, detail = null) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
