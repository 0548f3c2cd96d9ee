/** One socket after the other: sign-in, `hello`, silence, close codes, and when to come again. */

import { ChatError, closeError } from './errors.js';
import { isWelcome, readFrame } from './frames.js';
import { inWords } from './rest.js';

const PROTOCOL = 'klatsch.v1';
const HELLO = 1;
const OPEN_MS = 15_000; // for the handshake and the answer to hello
const GRACE_MS = 10_000; // beyond two heartbeats without a frame
const STEADY_MS = 10_000; // who was served for so long after hello begins again with the shortest wait
const HANGING_MS = 3_000; // a wake gives up only what has hung for longer: wakes come in twos, and networks may be slow
const WAIT_MS = 500;
const WAIT_MOST_MS = 30_000;
const TICKET_MS = 20_000; // one that opened no socket is tried again for so long: they are good for 30 s
const LOST = 1006;
const MALFORMED = 4400;
const NOT_AUTHENTICATED = 4401;
const NOT_KLATSCH = `What answers does not speak ${PROTOCOL}.`;
const PAUSED = 'this side has closed it, to open it again';
const BROKEN = 'the connection broke';
const GIVEN_UP = 'given up for a new try';

/**
 * @typedef {object} Handlers
 * @property {(signal: AbortSignal) => Promise<string | null | undefined>} ticket signs the next socket in; null leaves
 *   it to the cookie
 * @property {() => string | null} resume the token that the next `hello` shows
 * @property {(ok: any) => void} greeted `hello` is answered: from here on one may write
 * @property {(frame: any) => void} frame every frame but the answer to `hello`
 * @property {(signal: AbortSignal) => Promise<string>} why says why no socket opens; rejects with a ChatError where
 *   none ever will
 * @property {(text: string) => void} warn
 * @property {(code: number | undefined, reason: string) => void} lost the socket has ended, or a try to open one has failed
 * @property {(error: ChatError) => void} ended the server says to stop: there will be no other socket
 */

/** @typedef {{code: number, reason: string}} Closed code 0 where this side has ended it on purpose */

export class Connection {
  /** @type {WebSocket | null} */
  #socket = null;

  /** @type {(closed: Closed) => void} */
  #resolve = () => {};

  /** Aborted, it ends the requests between two sockets and the sleep behind them, also one that has not begun yet. */
  #waking = new AbortController();
  #isOver = false;
  #isPaused = false;
  #wasOpened = false;

  /** @type {{text: string | null | undefined, until: number} | null} One that has opened no socket yet. */
  #ticket = null;

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #silence;
  #silenceMs = OPEN_MS;
  #heardMs = 0;
  #greetedMs = Infinity;

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

  /** Ends a pause, or this socket, to say `hello` on another one at once. What has not said it yet goes on. */
  restart() {
    this.unpause();
    if (this.#wasOpened) this.#leave(0, '');
  }

  /**
   * Ends the wait for the next socket, and what is asked before it. Gives up a socket on which nothing has come for
   * longer than a heartbeat and a little more, and one that hangs in its handshake or in `hello`.
   */
  wake() {
    const silenceMs = Date.now() - this.#heardMs; // by the wall clock: the monotonic one may stand still in sleep
    if (this.#socket !== null && silenceMs <= (this.isOpen ? this.#silenceMs / 2 : HANGING_MS)) return;
    this.#waking.abort(new ChatError('unavailable', GIVEN_UP, { temporary: true }));
    this.#ticket = null; // used up by the handshake that hung, or older than the monotonic clock says
    if (this.isOpen) this.giveUp('silence');
    else this.#leave(0, GIVEN_UP);
  }

  /**
   * Takes this socket for dead.
   * @param {string} reason
   */
  giveUp(reason) {
    this.#leave(LOST, reason);
  }

  /** Ends this socket; `restart` and `unpause` open the next one. */
  pause() {
    this.#isPaused = true;
    this.#leave(0, '');
  }

  /** Ends a pause; where there is none, what is under way goes on. */
  unpause() {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#waking.abort();
  }

  close() {
    this.#isOver = true;
    this.#waking.abort();
    this.#leave(0, '');
  }

  async #run() {
    await null; // the constructors that are under way come first
    for (let failures = 0; !this.#isOver; ) {
      this.#waking = new AbortController(); // a wake counts for one try
      if (this.#isPaused) {
        await this.#sleep(null);
        continue;
      }
      this.#greetedMs = Infinity;
      const error = await this.#serve();
      if (error && !error.temporary) return this.on.ended(error);
      if (performance.now() - this.#greetedMs > STEADY_MS) failures = 0;
      else if (error) failures += 1;
      if (error && !this.#isOver && !this.#isPaused) await this.#sleep(waitMs(failures, error.retry_after));
    }
  }

  /**
   * One socket from its beginning to its end.
   * @returns {Promise<ChatError | null>} null where this side has ended it
   */
  async #serve() {
    const isSpare = this.#ticket !== null && performance.now() < this.#ticket.until;
    try {
      if (!isSpare) {
        const text = await this.on.ticket(this.#waking.signal);
        this.#ticket = { text, until: performance.now() + TICKET_MS };
      }
    } catch (error) {
      return this.#failed(error);
    }
    if (this.#isOver || this.#isPaused) return null;
    let closed;
    try {
      closed = await this.#talk(this.#ticket?.text);
    } catch (error) {
      return new ChatError('bad_request', `No WebSocket can be made for ${this.url}: ${inWords(error)}`); // nor ever will
    }
    return this.#ended(closed, isSpare);
  }

  /**
   * No ticket was to be had.
   * @param {unknown} error
   */
  #failed(error) {
    const known = error instanceof ChatError ? error : new ChatError('unavailable', inWords(error), { temporary: true });
    if (known.temporary && !this.#isOver) this.on.lost(undefined, known.message); // no network, or the caller's ticket
    return known;
  }

  /**
   * @param {Closed} closed
   * @param {boolean} isSpare whether the ticket was of an earlier try, whose handshake may have used it up
   * @returns {Promise<ChatError | null>}
   */
  async #ended({ code, reason }, isSpare) {
    let why = reason || (code === 0 ? PAUSED : code === LOST ? BROKEN : `closed with ${code}`);
    const isTicketUsedUp = code === NOT_AUTHENTICATED && isSpare;
    const final = isTicketUsedUp ? null : closeError(code, reason);
    if (code === LOST && !this.#wasOpened && !this.#isOver) {
      try {
        why = await this.on.why(this.#waking.signal);
      } catch (error) {
        return /** @type {ChatError} */ (error);
      }
    }
    this.on.lost(code, why);
    return code === 0 ? null : (final ?? new ChatError('unavailable', why, { temporary: true }));
  }

  /**
   * @param {string | null | undefined} ticket
   * @returns {Promise<Closed>}
   */
  #talk(ticket) {
    const socket = (this.#socket = new this.WebSocket(this.url, ticket ? [PROTOCOL, `ticket.${ticket}`] : [PROTOCOL]));
    this.#wasOpened = false;
    this.#waking = new AbortController(); // an earlier wake has its socket now
    socket.onopen = () => this.#opened(socket.protocol);
    socket.onmessage = ({ data }) => this.#take(data);
    socket.onclose = ({ code, reason }) => this.#leave(code, reason);
    socket.onerror = () => {}; // `onclose` follows; packages that are event emitters throw what nobody listens to
    this.#hear(OPEN_MS);
    return new Promise((resolve) => (this.#resolve = resolve));
  }

  /** @param {string} protocol */
  #opened(protocol) {
    this.#wasOpened = true;
    this.#ticket = null;
    if (protocol === PROTOCOL) this.write(JSON.stringify({ id: HELLO, op: 'hello', d: { resume: this.on.resume() } }));
    else this.#leave(MALFORMED, NOT_KLATSCH);
  }

  /** @param {unknown} data */
  #take(data) {
    if (this.isOpen) this.#hear(this.#silenceMs);
    let frame;
    try {
      frame = readFrame(data, HELLO);
    } catch (error) {
      // A stream that stopped at it would stop there again for ever.
      this.on.warn(`A frame of the server that cannot be read was dropped: ${inWords(error)}`);
      return;
    }
    if (frame.re === HELLO) this.#greet(frame);
    else this.on.frame(frame);
  }

  /** @param {any} answer to `hello` */
  #greet({ ok, err }) {
    if (this.isOpen) return;
    if (isWelcome(ok)) {
      this.#hear(2_000 * ok.heartbeat + GRACE_MS);
      this.#greetedMs = performance.now();
      this.isOpen = true;
      this.on.greeted(ok);
    } else if (err && typeof err.temporary === 'boolean') this.#leave(err.temporary ? LOST : MALFORMED, String(err.detail));
    else this.#leave(MALFORMED, NOT_KLATSCH);
  }

  /**
   * Something has come: if nothing else does in time, the socket is taken for dead.
   * @param {number} silenceMs
   */
  #hear(silenceMs) {
    this.#silenceMs = silenceMs;
    this.#heardMs = Date.now();
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.giveUp('silence'), silenceMs);
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
    const { signal } = this.#waking;
    if (signal.aborted) return;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    await new Promise((resolve) => {
      signal.addEventListener('abort', resolve);
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
