/**
 * What one may read of the archive, over REST: pages of `{rows, next, previous}`. `after: page.next` asks for the next page, and
 * `after: page.previous` for the one before; null at the end.
 * What cannot be had rejects with a ChatError, whose `temporary` says that it may be had later.
 */

import { isMessage } from './frames.js';

/**
 * `at_least` waits for a position or a resume token. A history may begin at a position: `older_than` has the messages before it,
 * `newer_than` those that follow it.
 * @typedef {{after?: string | null, limit?: number, at_least?: string | null, older_than?: string, newer_than?: string}} Paging
 */
/** @typedef {{rows: any[], next: string | null, previous: string | null}} Page */

export class Archive {
  /**
   * @param {import('./rest.js').Rest} rest
   * @param {import('./view.js').View | undefined} view
   */
  constructor(rest, view) {
    this.rest = rest;
    this.view = view;
  }

  /**
   * A conversation's messages, newest first. They come into the chat's view too.
   * @param {string} conversation
   * @param {Paging} [paging]
   */
  async history(conversation, paging) {
    return this.#show(await this.rest.page(`conversations/${encodeURIComponent(conversation)}/messages`, paging));
  }

  /**
   * One message. It comes into the chat's view too.
   * @param {string} message its id
   */
  async message(message) {
    const row = await this.rest.one(`messages/${encodeURIComponent(message)}`);
    this.#show({ rows: [row], next: null, previous: null });
    return row;
  }

  /**
   * The pinned messages of a conversation, the newest pin first, in one page. They come into the chat's view too.
   * @param {string} conversation
   */
  async pins(conversation) {
    return this.#show(await this.rest.page(`conversations/${encodeURIComponent(conversation)}/pins`));
  }

  /**
   * The texts that a message had and has, the oldest first.
   * @param {string} message its id
   * @param {Paging} [paging]
   */
  versions(message, paging) {
    return this.rest.page(`messages/${encodeURIComponent(message)}/versions`, paging);
  }

  /**
   * The messages that mention one, newest first.
   * @param {Paging} [paging]
   */
  mentions(paging) {
    return this.rest.page('mentions', paging);
  }

  /**
   * The messages that have these words, newest first. A page may be empty and have a `next`.
   * @param {string} words
   * @param {Paging} [paging]
   */
  search(words, paging) {
    return this.rest.page('search', /** @type {Paging} */ ({ ...paging, q: words }));
  }

  /**
   * How far its members have received and read a conversation, as far as they let others know. It comes into the chat's view too.
   * @param {string} conversation
   * @param {Paging} [paging]
   */
  async markers(conversation, paging) {
    const page = await this.rest.page(`conversations/${encodeURIComponent(conversation)}/markers`, paging);
    for (const marker of page.rows) this.view?.apply({ t: 'marker', d: { conversation, ...marker } });
    return page;
  }

  /**
   * One of one's conversations.
   * @param {string} conversation
   */
  conversation(conversation) {
    return this.rest.one(`conversations/${encodeURIComponent(conversation)}`);
  }

  /**
   * One's conversations with what is `unread` in each, and its `mentions`: the last active one first.
   * @param {Paging} [paging]
   */
  conversations(paging) {
    return this.rest.page('conversations', paging);
  }

  /** @param {Page} page */
  #show(page) {
    this.view?.add(page.rows.filter(isMessage));
    return page;
  }
}
