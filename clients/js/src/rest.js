/** The requests that a chat makes under /api/v1. */

import { ChatError } from './errors.js';
import { isMessage } from './frames.js';

const REQUEST_MS = 30_000;
const PAGE_MESSAGES = 100;
const LATER = new Set([408, 425, 429]);

export class Rest {
  #aborting = new AbortController();

  /**
   * @param {URL} base what the paths of the server begin with; its own path ends with a slash
   * @param {string | undefined} token a bearer token; without one the browser's cookie counts
   * @param {typeof globalThis.fetch} fetch
   * @param {(text: string) => void} warn
   */
  constructor(base, token, fetch, warn) {
    this.base = base;
    this.token = token;
    this.fetch = fetch;
    this.warn = warn;
  }

  /**
   * A ticket for the next socket; null where the cookie signs in.
   * @param {AbortSignal} signal ends the request
   * @returns {Promise<string | null>}
   */
  async ticket(signal) {
    if (this.token === undefined) return null;
    const { ticket } = await this.#requestOwn('auth/ticket', { method: 'POST', signal });
    if (typeof ticket !== 'string') throw notKlatsch(this.base);
    return ticket;
  }

  /**
   * Why no socket opens, as a browser does not say it: asks the same server over HTTP. Rejects with a ChatError that is not
   * temporary where there is no Klatsch at that address.
   * @param {AbortSignal} signal ends the request
   * @returns {Promise<string>}
   */
  async whyNoSocket(signal) {
    try {
      await this.#requestOwn('me', { signal });
    } catch (error) {
      if (!(error instanceof ChatError)) return inWords(error);
      if (error.temporary) return error.message;
      if (!error.isKlatschs) throw error;
    }
    return 'The server answers HTTP, but no WebSocket opens: what stands before it must pass upgrades on.';
  }

  /**
   * A page of a conversation's history, newest first, and the query of the next one.
   * @param {{conversation: string, at_least: string, next: string | null}} load
   * @returns {Promise<{messages: any[], next: string | null}>}
   */
  async history({ conversation, at_least, next }) {
    const query = new URLSearchParams({ at_least, limit: String(PAGE_MESSAGES) });
    // The query alone: a proxy may show the server another name or path, and the token goes nowhere else.
    const search = next === null ? `?${query}` : new URL(next, this.base).search;
    const page = await this.#request(`conversations/${encodeURIComponent(conversation)}/messages${search}`);
    const { rows, next: following } = this.#pageOf(page);
    const messages = rows.filter(isMessage);
    const dropped = rows.length - messages.length;
    if (dropped > 0) this.warn(`${dropped} messages of ${conversation} cannot be read and were dropped.`);
    return { messages, next: following };
  }

  /**
   * One resource.
   * @param {string} path below api/v1
   * @returns {Promise<any>}
   */
  one(path) {
    return this.#request(path);
  }

  /**
   * A page of a list, and the query of the next one.
   * @param {string} path below api/v1
   * @param {import('./archive.js').Paging} [paging]
   * @returns {Promise<import('./archive.js').Page>}
   */
  async page(path, { after, limit = PAGE_MESSAGES, ...places } = {}) {
    const named = Object.entries(places).filter(([, place]) => place != null);
    const query = new URLSearchParams({ limit: String(limit), ...Object.fromEntries(named) });
    return this.#pageOf(await this.#request(`${path}${after ?? `?${query}`}`));
  }

  /**
   * @param {any} body
   * @returns {import('./archive.js').Page}
   */
  #pageOf(body) {
    if (!Array.isArray(body?.results)) throw notKlatsch(this.base);
    const [next, previous] = [body.next, body.previous].map((url) => (url ? new URL(url, this.base).search : null));
    return { rows: body.results, next, previous };
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
   * Asks for what every Klatsch has: where it is not found, there is none.
   * @param {string} path
   * @param {RequestInit} [init]
   */
  async #requestOwn(path, init) {
    try {
      return await this.#request(path, init);
    } catch (error) {
      if (!(error instanceof ChatError) || error.code !== 'not_found' || !error.isKlatschs) throw error;
      throw new ChatError('not_found', `There is no Klatsch at ${this.base}: check the path.`);
    }
  }

  /**
   * @param {string} path below api/v1
   * @param {RequestInit} [init]
   * @returns {Promise<any>}
   */
  async #request(path, { signal: given, ...init } = {}) {
    /** @type {Record<string, string>} */
    const headers = this.token === undefined ? {} : { Authorization: `Bearer ${this.token}` };
    const signal = AbortSignal.any([this.#aborting.signal, AbortSignal.timeout(REQUEST_MS), ...(given ? [given] : [])]);
    const url = new URL(`api/v1/${path}`, this.base);
    // A redirect is not followed: it may lead to where the token is none of anybody's business.
    const answer = await this.fetch(url, { credentials: 'same-origin', headers, signal, redirect: 'manual', ...init });
    const body = await answer.json().catch(() => null);
    if (answer.ok && body === null) throw notKlatsch(this.base); // or its answer has broken off
    if (answer.ok) return body;
    const temporary = answer.status >= 500 || LATER.has(answer.status);
    const seconds = body?.retry_after ?? Number(answer.headers.get('Retry-After') ?? NaN); // it may be a date
    const retry_after = Number.isFinite(seconds) ? seconds : undefined;
    if (typeof body?.code === 'string') throw new ChatError(body.code, body.detail, { temporary, retry_after, isKlatschs: true });
    const code = temporary ? 'unavailable' : answer.status === 404 ? 'not_found' : 'stopped';
    throw new ChatError(code, `${url} answers ${inShort(answer)}.`, { temporary, retry_after });
  }
}

/**
 * What answers is another program: perhaps for a while, as the page of a hotel's network that wants to be paid.
 * @param {URL} base
 */
function notKlatsch(base) {
  return new ChatError('unavailable', `What answers below ${base} is not Klatsch.`, { temporary: true });
}

/** @param {Response} answer */
function inShort({ status, type, headers }) {
  const isRedirect = type === 'opaqueredirect' || (status >= 300 && status < 400);
  if (isRedirect) return `with a redirect to ${headers.get('Location') ?? 'elsewhere'}: give the address that it leads to`;
  return `HTTP ${status}${status === 404 ? ': there is no Klatsch at this address' : ''}`;
}

/**
 * What went wrong on the way; Node says it in the error's cause.
 * @param {any} error
 * @returns {string}
 */
export function inWords(error) {
  const cause = error?.cause; // a function of the application's may reject with nothing
  return cause ? `${error.message}: ${cause.message || cause.code || cause}` : String(error);
}

/**
 * What the server's paths begin with. Its path is kept, as a proxy may serve others beside it: they get no token.
 * @param {string | URL} url
 */
export function baseOf(url) {
  const base = new URL(url);
  const isFit = ['http:', 'https:'].includes(base.protocol) && !base.username && !base.password;
  if (!isFit) throw new TypeError(`This is no address of a server, such as https://chat.example: ${url}`);
  base.search = base.hash = '';
  if (!base.pathname.endsWith('/')) base.pathname += '/';
  return base;
}

/**
 * The address of the WebSocket.
 * @param {URL} base
 */
export function socketOf(base) {
  const address = new URL('ws', base);
  address.protocol = base.protocol.replace('http', 'ws');
  return address;
}

/**
 * Throws for what no header can hold, such as a token with the end of the line it was read from.
 * @param {string | undefined} token
 */
export function checkToken(token) {
  if (token !== undefined && !/^[!-~]+$/.test(token)) throw new TypeError('A token is one word of printable ASCII.');
}
