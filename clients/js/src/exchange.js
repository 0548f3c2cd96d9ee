/** What goes to the server and what comes from it: which frames are due, and what each one that comes means for the parts of a chat. */

import { Connection } from './connection.js';
import { DELTAS } from './deltas.js';
import { ChatError } from './errors.js';
import { SHOWN, Signals } from './signals.js';

const PASSED_ON = new Set([
  ...DELTAS, 'message', 'message_changed', 'state', 'members', 'marker', 'invitation', 'typing', 'presence', 'reset', 'mark',
]);

/**
 * @typedef {object} Parts
 * @property {import('./known.js').Known} known
 * @property {import('./sends.js').Sends} sends
 * @property {import('./queue.js').Queue} queue
 */

/**
 * @typedef {Pick<import('./connection.js').Handlers, 'ticket' | 'why' | 'warn' | 'lost' | 'ended'> & Own} Handlers
 * @typedef {object} Own
 * @property {(user: string) => void} opened the server has answered `hello`
 * @property {() => void} news there is something in the queue
 */

export class Exchange {
  #isWhole = false; // whether this connection has sent its first resume mark, the push `mark`

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #pumping;
  #signals = new Signals();
  #known;
  #sends;
  #queue;
  #on;
  #connection;

  /**
   * @param {URL} address of the WebSocket
   * @param {typeof globalThis.WebSocket} WebSocket
   * @param {Parts} parts
   * @param {Handlers} on
   */
  constructor(address, WebSocket, { known, sends, queue }, on) {
    this.#known = known;
    this.#sends = sends;
    this.#queue = queue;
    this.#on = on;
    this.#connection = new Connection(address, WebSocket, {
      ...on,
      resume: () => this.#resume(),
      greeted: (ok) => this.#greeted(ok),
      frame: (frame) => this.#frame(frame),
      lost: (code, reason) => this.#lost(code, reason),
    });
    queue.filled = () => this.#connection.pause();
    queue.emptied = () => this.#connection.restart();
  }

  wake() {
    this.#connection.wake();
  }

  close() {
    clearTimeout(this.#pumping);
    this.#connection.close();
  }

  /** There is something to send. */
  sendDue() {
    if (this.#queue.isFull) this.#connection.unpause();
    this.#pump();
  }

  /**
   * @param {'open' | 'presence'} op
   * @param {any} body
   */
  want(op, body) {
    this.#signals.want(op, body);
    this.#pump();
  }

  /**
   * Says that one types, now or never.
   * @param {string} conversation
   * @param {boolean} on
   */
  type(conversation, on) {
    if (!this.#connection.isOpen) return;
    this.#signals.type(conversation, on, performance.now());
    this.#pump();
  }

  /**
   * One does not belong to a conversation any more.
   * @param {string} conversation
   */
  leave(conversation) {
    this.#signals.leave(conversation);
    this.#pump();
  }

  /** What was not taken stands at or behind the token that is shown, and comes again: but refusals, and before any token. */
  #resume() {
    if (this.#known.token !== null) this.#queue.resume();
    return this.#known.token;
  }

  /** @param {any} ok */
  #greeted({ user, now, limits }) {
    this.#isWhole = false;
    const before = this.#sends.user ?? user; // a browser's cookie may have become another's since
    if (before !== user) {
      return this.#on.ended(new ChatError('not_authenticated', `This chat is ${before}'s, and the credential is ${user}'s.`));
    }
    this.#sends.user = user;
    this.#sends.ids.correct(now);
    Object.assign(this.#sends.limits, limits);
    this.#on.opened(user);
    this.#pump();
  }

  /** @param {any} frame */
  #frame(frame) {
    if (SHOWN.has(frame.re)) this.#answerShown(frame);
    else if ('re' in frame) this.#answer(frame);
    else if (PASSED_ON.has(frame.t)) this.#push(frame);
  }

  /** @param {any} frame the answer to a send, a change or a read mark, the operation `mark` */
  #answer(frame) {
    const outcome = this.#sends.answer(frame, performance.now());
    if (outcome && DELTAS.has(outcome.t) && !this.#isWhole) this.#sends.settle(outcome); // the replay tells it
    else if (outcome) this.#tell(outcome);
    this.#pump();
  }

  /** @param {any} frame the answer to `open` or `presence` */
  #answerShown(frame) {
    this.#signals.answer(frame, performance.now());
    if (frame.err && !frame.err.temporary) this.#on.warn(`${frame.re} was refused: ${frame.err.code}: ${frame.err.detail}`);
    if (frame.ok && frame.re === 'presence') this.#tell({ t: 'presence', d: { ...frame.ok, whole: true } });
    this.#pump();
  }

  /** @param {any} frame what the server says by itself */
  #push(frame) {
    if (frame.t === 'mark') this.#isWhole = true;
    const isMessage = frame.t === 'message' || (frame.t === 'state' && frame.d.kind === 'message');
    if (isMessage && frame.d.sender === this.#sends.user) this.#sends.shown(frame.d);
    this.#sends.see(frame);
    this.#tell(frame);
    if (isMessage || frame.t === 'mark') this.#pump();
  }

  /**
   * @param {number | undefined} code
   * @param {string} reason
   */
  #lost(code, reason) {
    this.#sends.lost(performance.now());
    this.#signals.lost();
    clearTimeout(this.#pumping);
    this.#on.lost(code, reason);
  }

  /** Writes what may go, and comes again when a pause ends. Before the first resume mark nothing does: no token would cover it. */
  #pump() {
    clearTimeout(this.#pumping);
    if (!this.#connection.isOpen || this.#known.token === null) return;
    const now = performance.now();
    if (this.#sends.answerBy <= now) return this.#connection.giveUp('a send has no answer for too long');
    for (const frame of this.#signals.due(now)) this.#connection.write(frame);
    for (const next of this.#sends.due(now)) {
      if (typeof next === 'string') this.#connection.write(next);
      else this.#tell(next);
    }
    const { pausedUntil, nextDue, answerBy } = this.#sends;
    const wait = Math.min(...[pausedUntil, nextDue, answerBy, this.#signals.nextDue].filter((at) => at > now));
    if (wait < Infinity) this.#pumping = setTimeout(() => this.#pump(), wait - now);
    if (this.#queue.isFull && this.#sends.isEmpty) this.#connection.pause();
  }

  /** @param {import('./client.js').ChatEvent} event */
  #tell(event) {
    if (event.t === 'mark' && this.#known.token === null) {
      this.#known.takeToken(event.resume ?? '', { forget: true }); // the stream begins here
      this.#pump();
    }
    this.#queue.put(event);
    this.#on.news();
  }
}
