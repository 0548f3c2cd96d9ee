/** The requests that a chat makes under /api/v1. */

import { ChatError } from './errors.js';

const REQUEST_MS = 30_000;
const PAGE_MESSAGES = 100;

export class Rest {
  #aborting = new AbortController();

  /**
   * @param {URL} url
   * @param {string | undefined} token a bearer token; without one the browser's cookie counts
   * @param {typeof fetch} fetch
   */
  constructor(url, token, fetch) {
    this.url = url;
    this.token = token;
    this.fetch = fetch;
  }

  /**
   * A ticket for the next socket; null where the cookie signs in.
   * @returns {Promise<string | null>}
   */
  async ticket() {
    return this.token === undefined ? null : (await this.#request('/api/v1/auth/ticket', { method: 'POST' })).ticket;
  }

  /**
   * A page of a conversation's history, newest first, and the next one's path.
   * @param {{conversation: string, at_least: string, next: string | null}} load
   * @returns {Promise<{messages: any[], next: string | null}>}
   */
  async history({ conversation, at_least, next }) {
    const query = new URLSearchParams({ at_least, limit: String(PAGE_MESSAGES) });
    const page = await this.#request(next ?? `/api/v1/conversations/${conversation}/messages?${query}`);
    // Path and query alone: a proxy may show the server another name, and the token goes nowhere else.
    const following = page.next && new URL(page.next, this.url);
    return { messages: page.results, next: following ? following.pathname + following.search : null };
  }

  /**
   * Waits, but not beyond `close`.
   * @param {number} ms
   */
  async wait(ms) {
    const { signal } = this.#aborting;
    await new Promise((resolve) => {
      const over = () => [clearTimeout(timer), signal.removeEventListener('abort', over), resolve(undefined)];
      const timer = setTimeout(over, ms);
      signal.addEventListener('abort', over);
    });
  }

  /** Ends what is under way. */
  close() {
    this.#aborting.abort();
  }

  /**
   * @param {string} path
   * @param {RequestInit} [init]
   * @returns {Promise<any>}
   */
  async #request(path, init = {}) {
    /** @type {Record<string, string>} */
    const headers = this.token === undefined ? {} : { Authorization: `Bearer ${this.token}` };
    const signal = AbortSignal.any([this.#aborting.signal, AbortSignal.timeout(REQUEST_MS)]);
    const answer = await this.fetch(new URL(path, this.url), { credentials: 'same-origin', headers, signal, ...init });
    const body = await answer.json().catch(() => ({}));
    if (answer.ok) return body;
    const temporary = answer.status >= 500 || answer.status === 408 || answer.status === 429;
    const { code = 'unavailable', detail = `HTTP ${answer.status}`, retry_after } = body;
    throw new ChatError(code, detail, { temporary, retry_after });
  }
}
