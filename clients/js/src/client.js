/**
 * A client of Klatsch for browsers and Node 22; docs/protocol.md is what it speaks.
 *
 *     const chat = new Chat({ url: location.origin });
 *     chat.onstatus = (status, code, reason) => show(status, reason);
 *     await chat.send({ to: 'bob', content: 'Hello' });
 *     for await (const event of chat.events()) show(event);
 *
 * What a new try cannot heal ends it with a ChatError: a close code 44xx, an address without Klatsch, a ticket that is refused, a
 * credential that is another person's than the state or the connection before.
 * All else is tried again, and the status says why: `lost`, with a reason, also for each try that fails.
 *
 * In a browser the session cookie signs in. Elsewhere give `token`, a bearer token, or `ticket`, a function that gets one from
 * `POST /api/v1/auth/ticket` for each socket.
 */

import { Archive } from './archive.js';
import { callBack, ChatError } from './errors.js';
import { Exchange } from './exchange.js';
import { Known } from './known.js';
import { Loads } from './loads.js';
import { endsFor, isMembers } from './members.js';
import { Queue } from './queue.js';
import { baseOf, checkToken, Rest, socketOf } from './rest.js';
import { Sends } from './sends.js';

export { applyDelta, DELTAS } from './deltas.js';
export { ChatError } from './errors.js';
export { comparePositions } from './known.js';
export { endsFor, isMembers } from './members.js';
export { View } from './view.js';

/**
 * A push of the server's as it came, or one of this module's:
 * `sent`: a send's draft with `id`, `position` and `changed`, in the place of the `message` that the sender does not get;
 * `message_edited`, `message_deleted`, `reaction`, `pinned`, `marker`: also of one's own, in the place of those that the sender
 * does not get (of one's own edit, `mentions` and `edited_at` are a guess); `applyDelta(message, event)` gives the message with it;
 * `refused`: the draft of a send, a change or a read mark, with `code`, `detail`, and `changed` where another edit came before;
 * `presence` with `whole`: of all whom one watches;
 * `state` with `kind: 'message'`: also what is loaded after a `reset`; put it in the place of what has its id;
 * `loaded`: a conversation of a `reset` has come, to its beginning if `whole`.
 * @typedef {{t: string, d?: any, pos?: string, resume?: string}} ChatEvent
 */

/**
 * @typedef {object} State
 * @property {1} v
 * @property {string | null} [user] whose it is
 * @property {import('./known.js').SavedKnown} known
 * @property {import('./drafts.js').SavedSend[]} sends
 * @property {import('./loads.js').Load[]} loads
 * @property {ChatEvent[]} refused
 * @property {Record<string, any[]>} [late]
 */

/** @typedef {{id: string, position: string, conversation?: string}} Target a message, or what `send` has answered */

/**
 * @typedef {object} Options
 * @property {string | URL} url the server's address, with its path where it has one: https://example.org/chat
 * @property {string} [token]
 * @property {() => Promise<string | null>} [ticket]
 * @property {State} [state] what `save` answered
 * @property {import('./view.js').View} [view] kept up to date with the events that are given
 * @property {number} [window] sends that may wait for their answer at once; 1 keeps their order whatever fails
 * @property {number} [queue] events that may wait for the application
 * @property {number} [pages] of 100 messages, the newest of each conversation, that are loaded after a `reset`
 * @property {typeof globalThis.WebSocket} [WebSocket]
 * @property {typeof globalThis.fetch} [fetch]
 */

/**
 * Somebody's chat: it connects by itself, and again, until `close`. Without a state its events begin with its first resume mark; what
 * was before is in the history. With one they go on where the state was saved.
 *
 * Take its events, in one loop, also if you only send. When `queue` of them wait, what comes is not kept, and the socket is
 * closed unless a send needs it; when those are taken, it resumes from the last resume mark among them, and nothing is missed.
 */
export class Chat {
  /** @type {ChatError | null} */
  #error = null;

  #news = () => {};
  #isAwaited = false;
  #known;
  #sends;
  #rest;
  #loads;
  #queue;
  #exchange;

  /** @type {import('./view.js').View | undefined} */
  #view;

  /** @param {Options} options */
  constructor({ url, token, ticket, state, view, window = 64, queue = 1_000, pages = Infinity, ...platform }) {
    if (state && state.v !== 1) throw new TypeError('This state was saved by another version.');
    const base = baseOf(url);
    checkToken(token);
    const { fetch = globalThis.fetch.bind(globalThis), WebSocket = globalThis.WebSocket } = platform;
    if (!WebSocket) throw new TypeError('There is no WebSocket here: use Node 22, or give one as the option WebSocket.');
    /** @type {string | null} Who one is, once that is known. */
    this.user = state?.user ?? null;
    /**
     * Told when the connection comes and goes, and why there is none.
     * @type {(status: 'open' | 'lost' | 'closed', code?: number, reason?: string) => void}
     */
    this.onstatus = () => {};
    /** @type {(text: string) => void} Told of what the server says that cannot be read, and is dropped. */
    this.onwarning = (text) => console.warn(text);
    const warn = (/** @type {string} */ text) => callBack(() => this.onwarning(text));
    this.#known = new Known(state?.known);
    this.#sends = new Sends(window, state?.sends);
    this.#sends.user = this.user;
    const rest = (this.#rest = new Rest(base, token, fetch, warn));
    const ended = (/** @type {ChatError} */ error) => this.#end(error);
    this.#loads = new Loads(rest, { pages, news: () => this.#news(), ended }, state?.loads, state?.late);
    /** What one may read of the archive. */
    this.archive = new Archive(rest, view);
    this.#view = view;
    const now = () => new Date(this.#sends.ids.now()).toISOString();
    view?.bind({ user: () => this.user, now, drafts: () => this.#sends.pending() });
    const parts = { known: this.#known, loads: this.#loads, sends: this.#sends };
    this.#queue = new Queue(queue, parts, structuredClone(state?.refused ?? []));
    this.#exchange = new Exchange(socketOf(base), WebSocket, { known: this.#known, sends: this.#sends, queue: this.#queue }, {
      ticket: ticket ? () => ticket() : (signal) => rest.ticket(signal),
      why: (signal) => rest.whyNoSocket(signal),
      warn,
      opened: (user) => this.#opened(user),
      lost: (code, reason) => this.#lost(code, reason),
      ended,
      news: () => this.#news(),
    });
  }

  /**
   * Sends, and again under the same name until it is answered; rejects with a ChatError where it never can be `ok`.
   * After `close` it rejects with the code `closed`, and `save` still has what was begun.
   * @param {import('./drafts.js').Draft} draft
   * @returns {Promise<import('./sends.js').Sent>}
   */
  async send(draft) {
    return this.#begin(draft);
  }

  /** A name for a send or a change to come, for an application that keeps it before it sends: give it as `client_id`. */
  name() {
    return this.#sends.ids.next();
  }

  /**
   * Connects now where that would wait, as after a failure. Connects anew where nothing has come for longer than the
   * server is ever silent, as after a sleep, and where a new connection hangs. Call it when the device is awake or online
   * again.
   */
  wake() {
    if (!this.#error) this.#exchange.wake();
  }

  /**
   * Gives one's own message another text. Like a send it goes again under one name until it is answered. Rejects with the code
   * `gone` for a deleted message, and with `conflict` where another edit has come since `base`, the `changed` that the editor saw.
   * @param {Target} message
   * @param {string} content
   * @param {{base?: string, client_id?: string}} [options]
   */
  async edit(message, content, { base, client_id } = {}) {
    return this.#change('edit', message, { content, base, client_id });
  }

  /**
   * Deletes a message, for good: one's own, or as an owner or admin of a group.
   * @param {Target} message
   * @param {{client_id?: string}} [options]
   */
  async delete(message, options) {
    return this.#change('delete', message, { ...options });
  }

  /**
   * Adds one's reaction to a message, or takes it back.
   * @param {Target} message
   * @param {string} emoji
   * @param {boolean} [on]
   * @param {{client_id?: string}} [options]
   */
  async react(message, emoji, on = true, options = undefined) {
    return this.#change('react', message, { emoji, on, ...options });
  }

  /**
   * Pins a message in its conversation, or takes its pin off.
   * @param {Target} message
   * @param {boolean} [on]
   * @param {{client_id?: string}} [options]
   */
  async pin(message, on = true, options = undefined) {
    return this.#change('pin', message, { on, ...options });
  }

  /**
   * Marks a conversation as read and received up to positions: once a second at most, with the highest of what was marked, and
   * again until the server has it. A refusal is an event, and rejects as that of a send does.
   * @param {string} conversation
   * @param {{read?: string, delivered?: string}} upTo
   */
  mark(conversation, upTo) {
    return this.#begin({ op: 'mark', conversation, ...upTo });
  }

  /**
   * Says which conversations one looks at, 3 at most: who types there is told. Holds through lost connections.
   * @param {string[]} conversations
   */
  open(conversations) {
    this.#exchange.want('open', { conversations: [...conversations] });
  }

  /**
   * Says of whom one wants to know whether they are online, 200 at most. Holds through lost connections.
   * @param {string[]} users
   */
  presence(users) {
    this.#exchange.want('presence', { users: [...users] });
  }

  /**
   * Says that one types, or does not any more; call it as often as you like. It is never said later.
   * @param {string} conversation
   * @param {boolean} [on]
   */
  typing(conversation, on = true) {
    this.#exchange.type(conversation, on);
  }

  /**
   * @param {import('./deltas.js').ChangeOp} op
   * @param {Target} message
   * @param {any} more
   */
  #change(op, { id, position, conversation }, more) {
    return this.#begin({ op, message: id, position, conversation, ...more });
  }

  /**
   * @param {any} draft
   * @returns {Promise<import('./sends.js').Sent>}
   */
  #begin(draft) {
    if (this.#error) throw this.#error;
    const { begun } = this.#sends;
    const sent = this.#sends.add(draft);
    if (this.#sends.begun !== begun) {
      this.#view?.changed(); // which may have the application mark what is read, again and again
      this.#exchange.sendDue();
    }
    return sent;
  }

  /**
   * What is new, once; throws when the server says to stop, and where another loop waits; ends with `close`.
   * @returns {AsyncGenerator<ChatEvent, void, void>}
   */
  async *events() {
    for (;;) {
      const event = this.#error?.code === 'closed' ? null : this.#queue.take();
      if (event) this.#given(event);
      if (event) yield event;
      else if (this.#error?.code === 'closed') return;
      else if (this.#error) throw this.#error;
      else await this.#nextNews();
    }
  }

  async #nextNews() {
    if (this.#isAwaited) throw new TypeError('There are two loops that take events.');
    this.#isAwaited = true;
    await new Promise((resolve) => (this.#news = () => resolve(undefined)));
    this.#isAwaited = false;
  }

  /** @param {ChatEvent} event */
  #given(event) {
    this.#view?.apply(event);
    if (isMembers(event) && endsFor(event.d, this.user)) this.#exchange.leave(event.d.conversation);
  }

  /**
   * Plain JSON to go on from: the events that `events` has given, the present one included, are given, and no others.
   * @returns {State}
   */
  save() {
    const [known, sends, loads] = [this.#known.save(), this.#sends.save(), this.#loads.save()];
    return structuredClone({ v: 1, user: this.user, known, sends, loads, refused: this.#queue.save(), late: this.#loads.saveLate() });
  }

  /** Ends the socket and the events; `save` has what is unfinished. */
  close() {
    this.#end(new ChatError('closed', 'The chat was closed.'));
  }

  /** @param {string} user */
  #opened(user) {
    this.user = user;
    callBack(() => this.onstatus('open'));
  }

  /**
   * @param {number | undefined} code
   * @param {string} reason
   */
  #lost(code, reason) {
    this.#view?.loseConnection();
    if (!this.#error) callBack(() => this.onstatus('lost', code, reason));
  }

  /** @param {ChatError} error */
  #end(error) {
    if (this.#error) return;
    this.#error = error;
    this.#loads.close();
    this.#rest.close();
    this.#exchange.close();
    this.#sends.end(error);
    this.#view?.loseConnection();
    callBack(() => this.onstatus('closed', error.close, error.message));
    this.#news();
  }
}
