/** One search of messages: what was found so far, and where it goes on. */

import { applyDelta, comparePositions, DELTAS } from '../client.js';
import { get } from './api.js';

const PAGE_MESSAGES = 20;
const PAGES_MOST = 3; // without a result. A page looks at 2,000 messages, and counts as 100 requests of the person
const KEPT_MS = 10 * 60_000; // one comes back to it; later, new messages may have these words too

export class Search {
  /** @type {any[]} The newest first. */
  #found = [];
  /** @type {Map<string, string>} By group. */
  #titles = new Map();
  /** @type {Promise<void> | null} */
  #looking = null;
  /** @type {string | null} The message to which one has gone. */
  opened = null;
  /** Some messages were looked at. */
  hasBegun = false;
  #beganMs = Date.now();

  /**
   * @param {string} words
   * @param {any} store
   */
  constructor(words, store) {
    this.words = words;
    this.store = store;
    /** @type {string | null} The query of the next page; null once all messages were looked at. */
    this.next = `?${new URLSearchParams({ q: words, limit: String(PAGE_MESSAGES) })}`;
  }

  get isKept() {
    return Date.now() - this.#beganMs < KEPT_MS;
  }

  /** What was found, without messages that were deleted, or whose conversation one has left. */
  get found() {
    return this.#found.filter(({ deleted, conversation }) => !deleted && !this.store.tally.hasLeft(conversation));
  }

  /** Takes what an event says of a message that was found. @param {any} event */
  take(event) {
    const { t, d } = event;
    const isDelta = DELTAS.has(t);
    if (!isDelta && t !== 'state') return;
    const at = this.#found.findIndex(({ id }) => id === d.id);
    const isLater = at >= 0 && comparePositions(this.#found[at].changed, isDelta ? event.pos : d.changed) < 0;
    if (isLater) this.#found[at] = isDelta ? applyDelta(this.#found[at], event) : d;
  }

  /** The name of a message's conversation; empty while it is not known. @param {any} message */
  nameOf({ conversation, sender, receiver }) {
    const { conversations, me } = this.store;
    const known = conversations.get(conversation);
    if (known) return this.store.nameOf(known);
    return (sender === me.username ? receiver : receiver && sender) ?? this.#titles.get(conversation) ?? '';
  }

  /** Looks at older messages, until some are found or many have none. Rejects with an ApiError. */
  more() {
    return (this.#looking ??= this.#look().finally(() => (this.#looking = null)));
  }

  async #look() {
    const before = this.#found.length;
    for (let pages = 0; this.next !== null && pages < PAGES_MOST && this.#found.length === before; pages += 1) {
      try {
        this.#take(await get(`search${this.next}`));
      } catch (error) {
        if (pages === 0 || /** @type {any} */ (error).code !== 'rate_limited') throw error;
        return; // one goes on by hand
      }
    }
  }

  /** @param {{results: any[], next: string | null}} page */
  #take({ results, next }) {
    this.hasBegun = true;
    this.next = next && new URL(next, document.baseURI).search;
    this.#found.push(...results);
  }

  /** Finds the titles of groups that are not on the loaded part of the list. */
  async findTitles() {
    const unknown = new Set(this.#found.filter((message) => this.nameOf(message) === '').map(({ conversation }) => conversation));
    const find = async (/** @type {string} */ id) => this.#titles.set(id, (await get(`conversations/${encodeURIComponent(id)}`)).title);
    await Promise.all([...unknown].map((id) => find(id).catch(() => {})));
  }
}
