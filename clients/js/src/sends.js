/** The sends that are not finished, in their order: which may go now, and what their answers mean. No I/O. */

import { ChatError } from './errors.js';

const UNFINISHED_MOST = 10_000;
const FRESH_MS = 60_000; // the server takes the fast way for names that are not further from its clock
const COUNT_MOST = 4095;
const FIRST_FRAME = 2; // 1 is `hello`
const PAUSE_MS = 500;
const PAUSE_MOST_MS = 15_000;

/** @typedef {{content: string, to?: string, conversation?: string, reply_to?: string | null, client_id?: string}} Draft */
/** @typedef {Draft & {client_id: string}} SavedSend */
/** @typedef {Draft & {client_id: string | undefined}} Named a draft that is named when it is first written or saved */
/** @typedef {{client_id: string, id: string, position: string, duplicate: boolean}} Sent */
/** @typedef {{draft: Named, promise: Promise<Sent>, resolve: (sent: Sent) => void, reject: (error: Error) => void}} Send */
/** @typedef {{t: 'sent' | 'refused', pos?: string, d: any}} Outcome what the application is told: the draft with its answer */

/**
 * Names for messages: UUIDv7 by the server's clock, which the monotonic clock carries on from the last `hello`: a wall clock
 * that is wrong, or jumps later, changes nothing. Each is above the one before, unless that one was made by a clock that was
 * more than a minute ahead.
 */
export class ClientIds {
  /** @type {number | null} The server's time less `performance.now()`. */
  #offsetMs = null;
  #lastMs = 0;
  #count = 0;

  /** @param {string} now the server's time */
  correct(now) {
    this.#offsetMs = Date.parse(now) - performance.now();
  }

  next() {
    const now = this.#offsetMs === null ? Date.now() : Math.floor(performance.now() + this.#offsetMs);
    if (now > this.#lastMs || this.#lastMs - now > FRESH_MS) [this.#lastMs, this.#count] = [now, 0];
    else if (this.#count < COUNT_MOST) this.#count += 1;
    else [this.#lastMs, this.#count] = [this.#lastMs + 1, 0];
    const random = crypto.getRandomValues(new Uint8Array(8)); // not randomUUID: pages over plain HTTP have none
    random[0] = (random[0] & 0x3f) | 0x80;
    const tail = [...random].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    const time = this.#lastMs.toString(16).padStart(12, '0');
    const count = this.#count.toString(16).padStart(3, '0');
    return `${time.slice(0, 8)}-${time.slice(8)}-7${count}-${tail.slice(0, 4)}-${tail.slice(4)}`;
  }
}

export class Sends {
  /** @type {Set<Send>} In their order. */
  #unfinished = new Set();

  /** @type {Map<string, Send>} Those that have a client_id, by it. */
  #named = new Map();

  /** @type {Map<number, Send>} Those that wait for an answer on this connection, by frame. */
  #asked = new Map();
  #nextFrame = FIRST_FRAME;
  #refusals = 0;

  /**
   * @param {number} window how many may wait for their answer at once; 1 keeps the order whatever fails
   * @param {SavedSend[]} [saved]
   */
  constructor(window, saved = []) {
    this.window = window;
    this.limits = { unanswered: 1, frame: 65_536 };
    this.ids = new ClientIds();
    /** Until when nothing goes, in milliseconds of `performance.now()`. */
    this.pausedUntil = 0;
    for (const draft of saved) this.add(draft);
  }

  get isEmpty() {
    return this.#unfinished.size === 0;
  }

  /**
   * Takes a send up; the same client_id again is the same send.
   * @param {Draft} draft
   * @returns {Promise<Sent>}
   */
  add(draft) {
    checkDraft(draft);
    const known = this.#named.get(draft.client_id ?? '');
    if (known) return known.promise;
    if (this.#unfinished.size >= UNFINISHED_MOST) {
      throw new ChatError('rate_limited', `${UNFINISHED_MOST} sends are unfinished.`, { temporary: true });
    }
    const { content, to, conversation, reply_to, client_id } = draft;
    const send = /** @type {Send} */ ({ draft: { client_id, to, conversation, content, reply_to } });
    send.promise = new Promise((resolve, reject) => Object.assign(send, { resolve, reject }));
    send.promise.catch(() => {}); // nobody may be waiting, as after a restore
    this.#unfinished.add(send);
    if (client_id !== undefined) this.#named.set(client_id, send);
    return send.promise;
  }

  /**
   * The draft with its name, which it keeps from here on. A name that was made earlier would be by a clock that the server has
   * not corrected yet, or stale when it is written at last; one that was made after a save would be another after a restore.
   * @param {Send} send
   * @returns {SavedSend}
   */
  #name(send) {
    const { draft } = send;
    if (draft.client_id === undefined) {
      draft.client_id = this.ids.next();
      this.#named.set(draft.client_id, send);
    }
    return /** @type {SavedSend} */ (draft);
  }

  /**
   * The frames to write now, oldest first; an outcome instead of a frame that would end the connection.
   * @param {number} now
   * @returns {Generator<string | Outcome>}
   */
  *due(now) {
    if (now < this.pausedUntil) return;
    const asked = new Set(this.#asked.values());
    for (const send of this.#unfinished) {
      if (this.#asked.size >= Math.min(this.window, this.limits.unanswered)) return;
      if (asked.has(send)) continue;
      const number = this.#nextFrame++;
      const frame = JSON.stringify({ id: number, op: 'send', d: this.#name(send) });
      if (new TextEncoder().encode(frame).length > this.limits.frame) {
        yield this.refuse(send, new ChatError('too_long', `A frame has ${this.limits.frame} bytes at most.`));
      } else {
        this.#asked.set(number, send);
        yield frame;
      }
    }
  }

  /**
   * What an answer means for the application; null where it means to wait, or nothing.
   * @param {any} frame
   * @param {number} now
   * @returns {Outcome | null}
   */
  answer({ re, ok, err }, now) {
    const send = this.#asked.get(re);
    this.#asked.delete(re);
    if (!send || !this.#unfinished.has(send)) return null; // a push has told it already
    if (ok) {
      const draft = this.#name(send);
      this.#finish(send).resolve({ client_id: draft.client_id, ...ok });
      return { t: 'sent', pos: ok.position, d: { ...draft, ...ok, changed: ok.position } };
    }
    if (err.temporary || err.code === 'unknown') {
      this.#pause(err.retry_after, now);
      return null;
    }
    return this.refuse(send, new ChatError(err.code, err.detail));
  }

  /**
   * A message of one's own has come as a push: that is as good as its answer.
   * @param {any} message
   */
  shown(message) {
    const send = this.#named.get(message.client_id);
    if (!send || (send.draft.conversation ?? message.conversation) !== message.conversation) return;
    if (send.draft.to && send.draft.to !== message.receiver) return;
    const { id, position, client_id } = message;
    this.#finish(send).resolve({ client_id, id, position, duplicate: true });
  }

  /**
   * @param {Send} send
   * @param {ChatError} error
   * @returns {Outcome}
   */
  refuse(send, error) {
    this.#finish(send).reject(error);
    return { t: 'refused', d: { ...send.draft, code: error.code, detail: error.message } };
  }

  /** The connection is lost: what waits for an answer goes again on the next one, under the same name. */
  lost() {
    this.#asked.clear();
  }

  /**
   * Nothing goes any more. What is unfinished stays in `save`.
   * @param {Error} error
   */
  end(error) {
    for (const send of this.#unfinished) send.reject(error);
  }

  /**
   * What was never written gets its name now at the latest.
   * @returns {SavedSend[]}
   */
  save() {
    return [...this.#unfinished].map((send) => this.#name(send));
  }

  /** @param {Send} send */
  #finish(send) {
    this.#unfinished.delete(send);
    this.#named.delete(send.draft.client_id ?? '');
    this.#refusals = 0;
    return send;
  }

  /**
   * A pause is for all of them: others would only be refused as well, or overtake.
   * @param {number | undefined} seconds
   * @param {number} now
   */
  #pause(seconds, now) {
    const most = Math.min(PAUSE_MOST_MS, PAUSE_MS * 2 ** this.#refusals);
    this.#refusals += 1;
    const milliseconds = seconds == null ? Math.random() * most : seconds * 1000;
    this.pausedUntil = Math.max(this.pausedUntil, now + milliseconds);
  }
}

/**
 * Refuses what the server would call malformed: ten of those in a row would end the connection.
 * @param {Draft} draft
 */
function checkDraft({ content, to, conversation, reply_to, client_id }) {
  const texts = [content, to ?? conversation, reply_to ?? '', client_id ?? '0'];
  if (texts.some((text) => typeof text !== 'string') || (to == null) === (conversation == null)) {
    throw new ChatError('bad_request', 'A send has a content, and either a conversation or whom it is to, as texts.');
  }
  if (client_id !== undefined && !/^[A-Za-z0-9_-]{1,64}$/.test(client_id)) {
    throw new ChatError('bad_request', 'A client_id is 1 to 64 of A-Z a-z 0-9 _ -.');
  }
  // @ts-ignore - isWellFormed is of 2024
  if (!texts.every((text) => text.isWellFormed())) throw new ChatError('invalid_content', 'A lone surrogate is no text.');
}
