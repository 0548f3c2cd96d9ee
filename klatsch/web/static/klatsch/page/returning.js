/** After a chat that has ended: waits until the server answers for the person who is signed in here, and has another chat begun. */

import { ApiError, get } from './api.js';

const WAIT_MS = 1_000;
const WAIT_MOST_MS = 30_000;
const STEADY_MS = 10_000; // a chat that was there for so long counts as no failure
const REFUSALS_MOST = 3;
const NOT_AUTHENTICATED = 'not_authenticated';
const UNAUTHORIZED = 401;

export class Returning {
  /** Waits, and chats begun without one, since the last chat that was there for a while. */
  #waits = 0;
  /** @type {number | null} When the chat has connected last, if it ever has. */
  #openedMs = null;
  /** A chat has connected, this one or one before it. */
  #hasOpened = false;
  #isOver = false;
  #wake = () => {};

  /**
   * @param {string} user the person's id
   * @param {() => void} restart begins another chat
   */
  constructor(user, restart) {
    this.user = user;
    this.restart = restart;
  }

  /** The chat has connected. */
  opened() {
    this.#openedMs = Date.now();
    this.#hasOpened = true;
  }

  /**
   * Tells whether another chat begins by itself: not where Klatsch's own close code says to stop, and not before the first connection,
   * which says that there is a Klatsch at this address. While one is deployed, a proxy may answer for a moment that there is none.
   * @param {number | undefined} close the close code with which the chat has ended
   */
  isByItself(close) {
    return close === undefined && this.#hasOpened;
  }

  /**
   * Restarts when the server answers for this person. Asks first, as a restart forgets what is loaded. Ends what is shown of the
   * session where it was refused a few times: a changed password closes all sockets, and leaves the session in which it was changed,
   * whose new cookie may come after the socket was closed: the answer that brings it is on its way, to this tab or another one.
   * @param {{code: string, close?: number}} error what the chat has ended with
   */
  async after({ code, close }) {
    if (this.#openedMs !== null && Date.now() - this.#openedMs > STEADY_MS) this.#waits = 0;
    this.#openedMs = null;
    const isRefused = code === NOT_AUTHENTICATED;
    const isByItself = isRefused || this.isByItself(close);
    const waited = this.#waits;
    let refusals = 0;
    if (!isRefused || this.#waits > 0) await this.#wait(isByItself);
    while (!this.#isOver) {
      const isSignedIn = await this.#isSignedIn();
      if (this.#isOver) return;
      if (isSignedIn) {
        this.#waits = Math.max(this.#waits, waited + 1); // the socket may be refused again, while /me is not
        return this.restart();
      }
      if (isSignedIn === false) refusals += 1;
      if (refusals === REFUSALS_MOST) return dispatchEvent(new CustomEvent('klatsch:signed-out'));
      await this.#wait(isByItself || refusals > 0);
    }
  }

  /** Ends a wait. */
  wake() {
    this.#wake();
  }

  close() {
    this.#isOver = true;
    this.#wake();
  }

  /** Waits longer each time, and spread, as many may have lost the same server. @param {boolean} isTimed whether only `wake` ends it otherwise */
  async #wait(isTimed) {
    const mostMs = Math.min(WAIT_MOST_MS, WAIT_MS * 2 ** this.#waits);
    this.#waits += 1;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    await new Promise((resolve) => {
      this.#wake = () => resolve(undefined);
      if (isTimed) timer = setTimeout(resolve, (mostMs * (1 + Math.random())) / 2);
    });
    clearTimeout(timer);
  }

  /** @returns {Promise<boolean | null>} null where no Klatsch has answered */
  async #isSignedIn() {
    try {
      const me = await get('me', { leaves: false });
      return typeof me?.id === 'string' ? me.id === this.user : null;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return error.status === UNAUTHORIZED ? false : null;
    }
  }
}
