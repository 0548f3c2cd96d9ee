/**
 * Conversations that are loaded anew after a `reset`: one page at a time, the next one when the last is taken, so that no
 * history waits in memory. Each goes on where it was, whatever becomes of the socket.
 */

import { ChatError } from './errors.js';
import { comparePositions } from './known.js';
import { inWords } from './rest.js';

const WAIT_MS = 1_000;
const WAIT_MOST_MS = 30_000;
const LATE_MOST = 1_000;
const NOT_ONES_OWN = new Set(['not_found', 'forbidden', 'not_a_member']);

/**
 * @typedef {{conversation: string, at_least: string, next: string | null, pages: number, isAnew?: boolean}} Load `next` is the next
 *   page's query, `pages` are taken already; `isAnew` is one that was begun again, as the server did not read its cursor
 */
/** @typedef {{load: Load, events: any[], next: string | null}} Page */

export class Loads {
  /** @type {Map<string, Load>} By conversation. */
  #loads = new Map();

  /** @type {Page | null} */
  #page = null;
  /** @type {Record<string, any[]>} Changes that came before the page with their message, by its id. */
  #late = {};
  #isFetching = false;
  #isOver = false;

  /**
   * @param {import('./rest.js').Rest} rest
   * @param {{pages: number, news: () => void, ended: (error: ChatError) => void}} options at most so many pages of each
   * @param {Load[]} [saved]
   * @param {Record<string, any[]>} [late]
   */
  constructor(rest, { pages, news, ended }, saved = [], late = {}) {
    this.rest = rest;
    this.pages = pages;
    this.news = news;
    this.ended = ended;
    this.#late = structuredClone(late);
    for (const load of saved) this.#loads.set(load.conversation, { ...load });
    this.#fetch();
  }

  get isEmpty() {
    return this.#loads.size === 0;
  }

  /**
   * Whether a page with messages of that conversation may still come.
   * @param {string | undefined} conversation undefined where it is not known
   */
  has(conversation) {
    return conversation === undefined ? !this.isEmpty : this.#loads.has(conversation);
  }

  /**
   * Keeps a change until the page with its message comes: that page may have been written before the change, or after it.
   * @param {any} delta
   * @returns {boolean} false where there is no room
   */
  keep(delta) {
    const count = Object.values(this.#late).reduce((sum, deltas) => sum + deltas.length, 0);
    if (count >= LATE_MOST) return false;
    (this.#late[delta.d.id] ??= []).push(delta);
    return true;
  }

  /**
   * Begins anew with these.
   * @param {{conversations: string[], at_least: string}} reset
   */
  add({ conversations, at_least }) {
    for (const conversation of conversations) {
      this.#loads.set(conversation, { conversation, at_least, next: null, pages: 0 });
      if (this.#page?.load.conversation === conversation) this.#page = null;
    }
    this.#fetch();
  }

  /**
   * The next event that is there: a message's `state`, what was kept of its changes, or `loaded`, `whole` unless there are more pages than are wanted.
   * @returns {{t: string, d: any} | null}
   */
  take() {
    if (!this.#page) return null;
    const { load, events, next } = this.#page;
    const event = events.shift();
    if (event) return event.t === 'state' ? this.#withLate(event, events) : event;
    this.#page = null;
    load.next = next;
    load.pages += 1;
    const isDone = next === null || load.pages >= this.pages;
    if (isDone) this.#loads.delete(load.conversation);
    if (this.isEmpty) this.#late = {}; // of messages that are on no page that is wanted
    this.#fetch();
    return isDone ? { t: 'loaded', d: { conversation: load.conversation, whole: next === null } } : null;
  }

  /**
   * @param {any} state
   * @param {any[]} events where the changes go that the state does not hold
   */
  #withLate(state, events) {
    const late = this.#late[state.d.id] ?? [];
    delete this.#late[state.d.id];
    const { changed, position } = state.d;
    events.unshift(...late.filter(({ pos }) => comparePositions(pos, changed ?? position) > 0));
    return state;
  }

  close() {
    this.#isOver = true;
  }

  saveLate() {
    return this.#late;
  }

  /** @returns {Load[]} */
  save() {
    return [...this.#loads.values()];
  }

  async #fetch() {
    if (this.#isFetching) return;
    this.#isFetching = true;
    for (let failures = 0; !this.#page && !this.isEmpty && !this.#isOver; ) {
      const [load] = this.#loads.values();
      try {
        const page = await this.#fetchPage(load);
        failures = 0;
        const events = page.messages.map((message) => ({ t: 'state', d: { kind: 'message', ...message } }));
        if (this.#loads.get(load.conversation) === load) this.#page = { load, events, next: page.next };
      } catch (error) {
        if (error instanceof ChatError && !error.temporary) return this.ended(error);
        const isUsual = error instanceof ChatError && error.isKlatschs;
        if (!isUsual) this.rest.warn(`A history cannot be loaded now: ${inWords(error)}`);
        const seconds = error instanceof ChatError ? (error.retry_after ?? 0) : 0; // or no network
        await this.rest.wait(seconds * 1000 + Math.random() * Math.min(WAIT_MOST_MS, WAIT_MS * 2 ** failures++));
      }
    }
    this.#isFetching = false;
    this.news();
  }

  /**
   * @param {Load} load
   * @returns {Promise<{messages: any[], next: string | null}>}
   */
  async #fetchPage(load) {
    try {
      return await this.rest.history(load);
    } catch (error) {
      if (!(error instanceof ChatError) || !error.isKlatschs) throw error;
      if (NOT_ONES_OWN.has(error.code)) return { messages: [], next: null };
      if (error.code !== 'bad_request' || load.next === null || load.isAnew) throw error;
      Object.assign(load, { next: null, pages: 0, isAnew: true }); // a cursor of the server's version before
      return this.rest.history(load);
    }
  }
}
