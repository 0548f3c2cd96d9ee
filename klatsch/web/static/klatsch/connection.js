/** One socket after the other: sign-in, `hello`, silence, close codes, and when to come again. */

import { ChatError, closeError } from './errors.js';

const HELLO = 1;
const OPEN_MS = 15_000; // for the handshake and the answer to hello
const GRACE_MS = 10_000; // beyond two heartbeats without a frame
const STEADY_MS = 10_000; // who was served for so long begins again with the shortest wait
const WAIT_MS = 500;
const WAIT_MOST_MS = 30_000;
const LOST = 1006;

/**
 * @typedef {object} Handlers
 * @property {() => Promise<string | null | undefined>} ticket signs the next socket in; null leaves it to the cookie
 * @property {() => string | null} resume the token that the next `hello` shows
 * @property {(ok: any) => void} greeted `hello` is answered: from here on one may write
 * @property {(frame: any) => void} frame every frame but the answer to `hello`
 * @property {(code: number) => void} lost the socket has ended
 * @property {(error: ChatError) => void} ended the server says to stop: there will be no other socket
 */

/** @typedef {{code: number, reason: string}} Closed code 0 where this side has ended it on purpose */

export class Connection {
  /** @type {WebSocket | null} */
  #socket = null;

  /** @type {(closed: Closed) => void} */
  #resolve = () => {};
  #wake = () => {};
  #isOver = false;
  #isPaused = false;

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #silence;
  #silenceMs = OPEN_MS;

  /**
   * @param {URL} url
   * @param {typeof globalThis.WebSocket} WebSocket
   * @param {Handlers} on
   */
  constructor(url, WebSocket, on) {
    this.url = url;
    this.WebSocket = WebSocket;
    this.on = on;
    /** Whether frames may be written now. */
    this.isOpen = false;
    this.#run();
  }

  /** @param {string} text */
  write(text) {
    this.#socket?.send(text);
  }

  /** Ends this socket, and says `hello` on another one at once. */
  restart() {
    this.#isPaused = false;
    this.#leave(0, '');
    this.#wake();
  }

  /** Ends this socket; `restart` opens the next one. */
  pause() {
    this.#isPaused = true;
    this.#leave(0, '');
  }

  close() {
    this.#isOver = true;
    this.restart();
  }

  async #run() {
    await null; // the constructors that are under way come first
    for (let failures = 0; !this.#isOver; ) {
      if (this.#isPaused) {
        await this.#sleep(null);
        continue;
      }
      const began = Date.now();
      const error = await this.#serve();
      if (error && !error.temporary) return this.on.ended(error);
      failures = Date.now() - began > STEADY_MS ? 0 : failures + 1;
      if (error && !this.#isOver && !this.#isPaused) await this.#sleep(waitMs(failures, error.retry_after));
    }
  }

  /**
   * One socket from its beginning to its end.
   * @returns {Promise<ChatError | null>} null where this side has ended it
   */
  async #serve() {
    try {
      const ticket = await this.on.ticket();
      if (this.#isOver || this.#isPaused) return null;
      const { code, reason } = await this.#talk(ticket ? ['klatsch.v1', `ticket.${ticket}`] : ['klatsch.v1']);
      this.on.lost(code);
      if (code === 0) return null;
      return closeError(code, reason) ?? new ChatError('unavailable', reason, { temporary: true });
    } catch (error) {
      if (error instanceof ChatError) return error;
      return new ChatError('unavailable', String(error), { temporary: true }); // no network, or the caller's ticket
    }
  }

  /**
   * @param {string[]} protocols
   * @returns {Promise<Closed>}
   */
  #talk(protocols) {
    const socket = (this.#socket = new this.WebSocket(this.url, protocols));
    socket.onopen = () => this.write(JSON.stringify({ id: HELLO, op: 'hello', d: { resume: this.on.resume() } }));
    socket.onmessage = ({ data }) => this.#take(data);
    socket.onclose = ({ code, reason }) => this.#leave(code, reason);
    this.#hear(OPEN_MS);
    return new Promise((resolve) => (this.#resolve = resolve));
  }

  /** @param {string} data */
  #take(data) {
    const frame = JSON.parse(data);
    this.#hear(this.#silenceMs);
    if (frame.re !== HELLO) this.on.frame(frame);
    else if (frame.ok) {
      this.#hear(2_000 * frame.ok.heartbeat + GRACE_MS);
      this.isOpen = true;
      this.on.greeted(frame.ok);
    } else this.#leave(frame.err.temporary ? LOST : 4400, frame.err.detail);
  }

  /**
   * Something has come: if nothing else does in time, the socket is taken for dead.
   * @param {number} silenceMs
   */
  #hear(silenceMs) {
    this.#silenceMs = silenceMs;
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#leave(LOST, 'silence'), silenceMs);
  }

  /**
   * Leaves this socket to itself: a half-open one closes late, and nothing that it still says counts.
   * @param {number} code
   * @param {string} reason
   */
  #leave(code, reason) {
    const socket = this.#socket;
    if (!socket) return;
    clearTimeout(this.#silence);
    socket.onopen = socket.onmessage = socket.onclose = null;
    this.#socket = null;
    this.isOpen = false;
    socket.close();
    this.#resolve({ code, reason });
  }

  /** @param {number | null} ms null for ever */
  async #sleep(ms) {
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    await new Promise((resolve) => {
      this.#wake = () => resolve(undefined);
      if (ms !== null) timer = setTimeout(resolve, ms);
    });
    clearTimeout(timer);
  }
}

/**
 * Full jitter: anything up to a bound that doubles with each failure, so that all who lost a gateway come back spread.
 * @param {number} failures
 * @param {number} [retryAfter] seconds
 */
function waitMs(failures, retryAfter = 0) {
  return retryAfter * 1_000 + Math.random() * Math.min(WAIT_MOST_MS, WAIT_MS * 2 ** failures);
}
