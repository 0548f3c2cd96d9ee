/** The part of a conversation that is loaded: messages without a gap between two positions, bounded, which grows at either end. */

import { comparePositions } from '../client.js';

const PAGE_MESSAGES = 50;
const MESSAGES_MOST = 300; // elements in the document
const RESTING_MOST = 25; // of a conversation that is not open: it is there at once when one comes again

export class History {
  /** @type {string | null} */
  oldest = null;
  /** @type {string | null} Up to where pages were loaded; what is behind it, where this part reaches the end, was pushed. */
  newest = null;
  atStart = false;
  atEnd = true;
  isLoaded = false;
  /** Messages from before the chat's first mark may be missing at the end. */
  isBehind = false;
  /** @type {Promise<void> | null} */
  #loading = null;
  /** A page that was asked for before a `reset` or a `rest` may not adjoin what is here then. */
  #resets = 0;
  #rests = 0;

  /**
   * @param {string} conversation
   * @param {{chat: any, view: any, lastPosition: (conversation: string) => string | null, token: () => string | null}} source
   */
  constructor(conversation, source) {
    this.conversation = conversation;
    this.source = source;
  }

  /** The messages of this part, in their order. */
  get messages() {
    if (!this.isLoaded) return [];
    return this.source.view.messages(this.conversation).filter((/** @type {any} */ { position }) => this.has(position));
  }

  /** @param {string} position */
  has(position) {
    if (!this.atStart && this.oldest && comparePositions(position, this.oldest) < 0) return false;
    return this.atEnd || (this.newest !== null && comparePositions(position, this.newest) <= 0);
  }

  get isLoading() {
    return this.#loading !== null;
  }

  /** The end of the conversation, in the place of what was loaded. */
  loadNewest() {
    return this.#once(() => this.#newest(), ({ rows, next }) => this.#begin(rows, { atStart: next === null, atEnd: true }));
  }

  /** What the archive has now, where it is behind: `resync` loads the rest. */
  async #newest() {
    this.isBehind = false;
    try {
      return await this.#page({ at_least: this.source.token() });
    } catch (error) {
      if (/** @type {any} */ (error).code !== 'not_archived_yet') throw error;
      this.isBehind = true;
      return this.#page({});
    }
  }

  /** Messages around a place, its own included, in the place of what was loaded. @param {string} position */
  loadAround(position) {
    return this.#once(async () => {
      const limit = PAGE_MESSAGES / 2;
      const newer = await this.#page({ newer_than: position, limit });
      const first = newer.rows.at(-1)?.position;
      return { newer, older: await this.#page(first ? { older_than: first, limit } : { limit }) };
    }, ({ newer, older }) => this.#begin([...newer.rows, ...older.rows], { atStart: older.next === null, atEnd: newer.previous === null }));
  }

  /** One page more at the beginning; the end is left where that is too much. */
  loadOlder() {
    if (this.atStart || !this.oldest) return Promise.resolve();
    return this.#once(() => this.#page({ older_than: this.oldest }), (page) => {
      this.oldest = page.rows.at(-1)?.position ?? this.oldest;
      this.atStart = page.next === null;
      this.leaveNewest();
    });
  }

  /** One page more at the end; the beginning is left where that is too much. */
  loadNewer() {
    if (this.atEnd || !this.newest) return Promise.resolve();
    // What is pushed meanwhile is in the view; what was pushed before, and let go, has to be in the archive.
    const find = () => this.#page({ newer_than: this.newest, at_least: this.source.lastPosition(this.conversation) });
    return this.#once(find, (page) => {
      this.newest = page.rows[0]?.position ?? this.newest;
      this.atEnd = page.previous === null;
      this.leaveOldest();
    });
  }

  /**
   * Loads the end again, from an archive that has all before the chat's first mark. Waits for a page that is on its way, which may
   * have been read before the mark.
   */
  async resync() {
    this.isBehind = true; // until that page was taken
    while (this.#loading) await this.#loading.catch(() => {});
    if (!this.isBehind || !this.isLoaded || !this.atEnd) return;
    const find = () => this.#page({ at_least: this.source.token() });
    await this.#once(find, (page) => {
      this.isBehind = false;
      // What is behind `newest` was pushed, after the mark.
      const from = page.rows.at(-1)?.position;
      const hasGap = this.newest && from && page.next !== null && comparePositions(from, this.newest) > 0;
      if (hasGap || !this.newest) this.#begin(page.rows, { atStart: page.next === null, atEnd: true });
    }, () => this.#resets); // when one leaves, the end stays, and the page's messages are in the view
  }

  /** A `reset` has emptied the view: nothing is loaded until the page comes that follows the reset. */
  reset() {
    this.#resets += 1;
    this.#forget();
  }

  /** Begins with the page that followed a `reset`. @param {boolean} isWhole whether that page has the conversation's beginning */
  restart(isWhole) {
    this.#resets += 1;
    const rows = this.source.view.messages(this.conversation).reverse();
    // The view also has what other loads have brought meanwhile. So many of the newest are surely of the reset's page, which has 100.
    this.#begin(isWhole ? rows : rows.slice(0, PAGE_MESSAGES), { atStart: isWhole, atEnd: true });
    this.isBehind = false;
    this.#letGo();
  }

  /** One has left the conversation: its end stays, so that it is there at once when one comes again. */
  rest() {
    this.#rests += 1;
    if (this.isLoaded && this.atEnd) this.leaveOldest(RESTING_MOST);
    else this.#forget();
  }

  /** Lets go of what is too much at the beginning. */
  leaveOldest(most = MESSAGES_MOST) {
    const { messages } = this;
    if (messages.length <= most) return;
    this.oldest = messages[messages.length - most].position;
    this.atStart = false;
    this.#letGo();
  }

  /** Lets go of what is too much at the end. */
  leaveNewest() {
    const { messages } = this;
    if (messages.length <= MESSAGES_MOST) return;
    this.newest = messages[MESSAGES_MOST - 1].position;
    this.atEnd = false;
    this.#letGo();
  }

  /** Keeps the number of messages bounded, by the end that is further away, once no page is on its way that has to adjoin it. @param {boolean} isNearEnd */
  bound(isNearEnd) {
    if (!this.isLoaded || this.isLoading) return;
    if (isNearEnd) this.leaveOldest();
    else this.leaveNewest();
  }

  #letGo() {
    if (this.oldest) this.source.view.keep(this.conversation, { from: this.oldest, to: this.atEnd ? null : this.newest });
  }

  /** Nothing is loaded, as at first. */
  #forget() {
    this.oldest = this.newest = null;
    this.atStart = this.isLoaded = false;
    this.atEnd = true;
  }

  /** @param {any[]} rows the newest first @param {{atStart: boolean, atEnd: boolean}} reach */
  #begin(rows, { atStart, atEnd }) {
    this.oldest = rows.at(-1)?.position ?? null;
    this.newest = rows[0]?.position ?? null;
    this.atStart = atStart;
    this.atEnd = atEnd;
    this.isLoaded = true;
  }

  /** @param {any} paging */
  async #page(paging) {
    return this.source.chat.archive.history(this.conversation, { limit: PAGE_MESSAGES, ...paging });
  }

  /**
   * Loads one thing at a time. What was found is taken unless a `reset` came meanwhile, or one has left.
   * @template T
   * @param {() => Promise<T>} find
   * @param {(found: T) => void} take
   * @param {() => number} era a number that is another one once what is found may not be taken
   */
  async #once(find, take, era = () => this.#resets + this.#rests) {
    while (this.#loading) await this.#loading.catch(() => {});
    const begun = era();
    const load = async () => {
      const found = await find();
      if (begun === era()) take(found);
    };
    this.#loading = load();
    try {
      await this.#loading;
    } finally {
      this.#loading = null;
    }
    this.source.view.onchange(this.conversation);
  }
}
