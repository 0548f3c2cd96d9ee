/** The sends, changes and marks that are not finished, in their order: which may go now, and what their answers mean. No I/O. */

import { check, copyOf, frameOf, targetOf } from './drafts.js';
import { ChatError } from './errors.js';
import { ClientIds } from './ids.js';
import { higherPosition } from './known.js';
import { outcomeOf, refusalOf } from './outcomes.js';
import { Pause } from './pause.js';
import { Repeats } from './repeats.js';

const UNFINISHED_MOST = 10_000;
const FIRST_FRAME = 2; // 1 is `hello`
const ANSWER_MS = 30_000; // a gateway answers `unknown` after 10 s: one that says nothing for so long is lost
const MARK_EVERY_MS = 1_000; // the server keeps the last one of a second anyway

/** @typedef {import('./drafts.js').SavedSend} SavedSend */
/** @typedef {import('./drafts.js').Marking} Marking */
/** @typedef {import('./drafts.js').Named} Named */
/** @typedef {{client_id: string, id: string, position: string, duplicate: boolean}} Sent */
/**
 * @typedef {{draft: Named, promise: Promise<Sent>, resolve: (sent: Sent) => void, reject: (error: Error) => void,
 *   answerBy: number}} Send `answerBy` is of the last try, in milliseconds of `performance.now()`
 */
/** @typedef {import('./outcomes.js').Outcome} Outcome */

export class Sends {
  /** @type {Set<Send>} In their order. */
  #unfinished = new Set();

  /** @type {Map<string, Send>} Those that have a client_id, by it. */
  #named = new Map();

  /** @type {Map<number, Send>} Those that wait for an answer on this connection, by frame: the oldest first. */
  #asked = new Map();
  #nextFrame = FIRST_FRAME;
  #pause = new Pause();

  /** @type {Map<string, Send>} The mark of each conversation that may still be raised. */
  #marks = new Map();

  /** @type {Map<string, number>} Until when a mark may not go, by conversation. */
  #rests = new Map();
  #repeats = new Repeats();

  /** @type {Map<Outcome, Named>} Changes that are done and were not given yet. */
  #settling = new Map();

  /**
   * @param {number} window how many may wait for their answer at once; 1 keeps the order whatever fails
   * @param {SavedSend[]} [saved]
   */
  constructor(window, saved = []) {
    this.window = window;
    this.limits = { unanswered: 1, frame: 65_536 };
    this.ids = new ClientIds();
    /** @type {string | null} Who one is, for what is told of one's own changes. */
    this.user = null;
    /** Grows with all that is begun or raised. */
    this.begun = 0;
    for (const draft of saved) this.add(draft);
  }

  /** Until when nothing goes, in milliseconds of `performance.now()`. */
  get pausedUntil() {
    return this.#pause.until;
  }

  get isEmpty() {
    return this.#unfinished.size === 0;
  }

  /**
   * What has no answer yet, or one whose event was not given yet, in its order.
   * @returns {Named[]}
   */
  pending() {
    return [...this.#settling.values(), ...[...this.#unfinished].map(({ draft }) => draft)];
  }

  /**
   * Takes a send, a change or a mark up; the same client_id again is the same.
   * @param {SavedSend} draft
   * @returns {Promise<Sent>}
   */
  add(draft) {
    check(draft);
    if ('op' in draft && draft.op === 'mark') return this.#addMark(draft);
    const known = this.#named.get(draft.client_id ?? '');
    if (known) return known.promise;
    if (this.#unfinished.size >= UNFINISHED_MOST) {
      throw new ChatError('rate_limited', `${UNFINISHED_MOST} sends are unfinished.`, { temporary: true });
    }
    const send = this.#begin(copyOf(draft));
    if (draft.client_id !== undefined) this.#named.set(draft.client_id, send);
    return send.promise;
  }

  /**
   * What waits to be marked there is written as one.
   * @param {Marking} marking
   */
  #addMark({ conversation, delivered, read }) {
    const waiting = this.#marks.get(conversation);
    const draft = {
      op: 'mark',
      conversation,
      delivered: higherPosition(waiting?.draft.delivered, delivered) ?? undefined,
      read: higherPosition(waiting?.draft.read, read) ?? undefined,
    };
    if (waiting && waiting.draft.delivered === draft.delivered && waiting.draft.read === draft.read) return waiting.promise;
    if (!waiting || [...this.#asked.values()].includes(waiting)) {
      const send = this.#begin(draft);
      this.#marks.set(conversation, send);
      return send.promise;
    }
    Object.assign(waiting.draft, draft);
    this.begun += 1;
    return waiting.promise;
  }

  /** @param {Named} draft */
  #begin(draft) {
    const send = /** @type {Send} */ ({ draft });
    send.promise = new Promise((resolve, reject) => Object.assign(send, { resolve, reject }));
    send.promise.catch(() => {}); // nobody may be waiting, as after a restore
    this.#unfinished.add(send);
    this.begun += 1;
    return send;
  }

  /**
   * The draft with its name, which it keeps from here on. A name that was made earlier would be by a clock that the server has
   * not corrected yet, or stale when it is written at last; one that was made after a save would be another after a restore.
   * @param {Send} send
   * @returns {any}
   */
  #name(send) {
    const { draft } = send;
    if (draft.client_id === undefined && draft.op !== 'mark') {
      draft.client_id = this.ids.next();
      this.#named.set(draft.client_id, send);
    }
    return draft;
  }

  /**
   * The frames to write now, oldest first; an outcome instead of a frame that would end the connection. Changes of one message
   * wait for each other: the last one wins, and so a new try must not overtake it. So do marks of one conversation.
   * @param {number} now
   * @returns {Generator<string | Outcome>}
   */
  *due(now) {
    if (now < this.pausedUntil) return;
    const asked = new Set(this.#asked.values());
    const targets = new Set();
    for (const send of this.#unfinished) {
      if (this.#asked.size >= Math.min(this.window, this.limits.unanswered)) return;
      const target = targetOf(send.draft);
      const mayGo = !asked.has(send) && !targets.has(target) && !(this.restsUntil(send.draft) > now);
      if (target !== null) targets.add(target);
      if (!mayGo) continue;
      const number = this.#nextFrame++;
      const frame = frameOf(number, this.#name(send));
      if (new TextEncoder().encode(frame).length > this.limits.frame) {
        yield this.refuse(send, new ChatError('too_long', `A frame has ${this.limits.frame} bytes at most.`));
      } else {
        this.#asked.set(number, send);
        send.answerBy = now + ANSWER_MS;
        yield frame;
      }
    }
  }

  /**
   * Until when a mark may not go.
   * @param {Named} draft
   */
  restsUntil({ op, conversation }) {
    return op === 'mark' ? (this.#rests.get(conversation) ?? 0) : 0;
  }

  /** By when an answer must have come: the connection is lost then. */
  get answerBy() {
    const [send] = this.#asked.values();
    return send?.answerBy ?? Infinity;
  }

  /** When some mark may go that rests. */
  get nextDue() {
    const marks = [...this.#marks.values()].filter((send) => this.#unfinished.has(send));
    return Math.min(Infinity, ...marks.map(({ draft }) => this.restsUntil(draft)));
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
    if (ok) return this.#done(send, ok, now);
    if (err.temporary || err.code === 'unknown') {
      this.#pause.extend(err.retry_after, now);
      return null;
    }
    return this.refuse(send, new ChatError(err.code, err.detail, { changed: err.changed }));
  }

  /**
   * @param {Send} send
   * @param {any} ok
   * @param {number} now
   * @returns {Outcome | null} null where the answer is none of that
   */
  #done(send, ok, now) {
    const draft = this.#name(send);
    if ((draft.op === 'mark') === (ok.position !== undefined)) return null;
    this.#finish(send).resolve({ client_id: draft.client_id, ...ok });
    const outcome = outcomeOf(draft, ok, { user: this.user, now: () => this.ids.now() });
    if (draft.op === 'mark') {
      this.#rests.set(draft.conversation, now + MARK_EVERY_MS);
      this.#repeats.answered(draft, now);
    } else if (draft.op !== undefined) {
      this.#settling.set(outcome, draft);
    }
    return outcome;
  }

  /**
   * An event that `answer` made is given, or will not be: a push says the same later.
   * @param {Outcome} event
   */
  settle(event) {
    this.#settling.delete(event);
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
    return refusalOf(send.draft, error);
  }

  /**
   * Takes a push as it comes; behind a replay, marks again what no push has overtaken.
   * @param {any} frame
   */
  see(frame) {
    this.#repeats.see(frame, this.user);
    if (frame.t === 'mark') for (const draft of this.#repeats.take()) this.#addMark(draft);
  }

  /**
   * The connection is lost: what waits for an answer goes again on the next one, under the same name, and so does what was
   * marked a moment ago.
   * @param {number} now
   */
  lost(now) {
    this.#asked.clear();
    this.#rests.clear();
    this.#repeats.lost(now);
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
    if (this.#marks.get(send.draft.conversation) === send) this.#marks.delete(send.draft.conversation);
    this.#pause.reset();
    return send;
  }
}
