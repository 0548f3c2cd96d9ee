/** One's conversations and messages, kept up to date by the client library; what views show is read from here. */

import { Chat, ChatError, comparePositions, DELTAS, endsFor, isMembers, View } from '../client.js';
import { get, reach } from './api.js';
import { History } from './history.js';
import { Conversations, otherOf } from './logic/conversations.js';
import { Drafts, forgetKept, placesOf } from './logic/kept.js';
import { Outgoing } from './outgoing.js';
import { Presence } from './presence.js';
import { Returning } from './returning.js';
import { openStorage } from './storage.js';
import { Tally } from './tally.js';

const PAGE_CONVERSATIONS = 20; // the first screen costs as much with 10,000 conversations as with 20
const HISTORIES_MOST = 20; // conversations whose messages stay here after one has left them
const RESETS_MOST = 20; // beyond it, beginning anew is cheaper
const PLACE_TRIES = 20;
const PLACE_WAIT_MS = 1_000;

/**
 * Fires
 * - `list`: the conversations or their numbers are different;
 * - `messages`, `detail` the conversation or null for any: messages, markers, or who types there are different;
 * - `arrived`, `detail` a message of somebody else's that has just come;
 * - `status`: the connection has come or gone: `status.kind`, and `status.since`, in milliseconds, when it came or went;
 * - `outbox`: what is not sent yet is different;
 * - `presence`, `invitation` (`detail` the invitation), `left` (`detail` a conversation's id).
 */
export class Store extends EventTarget {
  /** @type {string | null} */
  #nextPage = '';
  /** @type {Promise<void> | null} */
  #loading = null;
  /** @type {Map<string, History>} The last used one at the end. */
  #histories = new Map();
  /** @type {string | null} The first mark: a page that is at least so new has no gap to what is pushed. */
  #token = null;

  /** @param {import('./session.js').Me} me */
  constructor(me) {
    super();
    this.me = me;
    this.storage = openStorage();
    this.presence = new Presence(() => this.chat);
    this.drafts = new Drafts(this.storage, placesOf(me.username).drafts);
    this.outgoing = new Outgoing({ storage: this.storage, user: me.username, onchange: () => this.tell('outbox') });
    this.returning = new Returning(me.id, () => this.restart());
    /** @type {{kind: 'connecting' | 'open' | 'lost' | 'ended', since: number, reason?: string}} `ended` waits for `wake`. */
    this.status = { kind: 'connecting', since: Date.now() };
    this.#begin();
  }

  /** Opens a chat, and forgets what another one has told. */
  #begin() {
    this.conversations = new Conversations();
    this.tally = new Tally(this);
    this.#histories.clear();
    this.#loading = null;
    this.#nextPage = '';
    this.#token = null;
    /** @type {import('./search.js').Search | null} The last search of messages: one comes back to it. */
    this.search = null;
    this.view = new View({ onchange: (conversation) => this.tell('messages', conversation) });
    const chat = (this.chat = new Chat({ url: document.baseURI, view: this.view, window: 1, pages: 1, fetch: reach }));
    chat.onstatus = (status, close, reason) => this.#hear(status, close, reason);
    this.outgoing.use(chat);
    this.#run(chat);
    this.loadMore().catch(() => {}); // the list asks again
  }

  /** Begins anew: after a reset of more than is worth loading one by one, and after a chat that has ended. */
  restart() {
    this.chat.onstatus = () => {};
    this.chat.close();
    this.#setStatus('connecting');
    this.#begin();
    this.presence.again();
    this.tell('restarted');
  }

  get unread() {
    return this.conversations.unread(new Date());
  }

  get hasMore() {
    return this.#nextPage !== null;
  }

  get isOnline() {
    return this.status.kind === 'open';
  }

  /** Loads the next page of conversations; rejects where that cannot be had now. @param {number} [limit] how many; 100 at most */
  loadMore(limit = PAGE_CONVERSATIONS) {
    if (this.#loading) return this.#loading;
    const loading = this.#loadPage(limit).finally(() => {
      if (this.#loading === loading) this.#loading = null;
    });
    return (this.#loading = loading);
  }

  /** @param {number} limit */
  async #loadPage(limit) {
    if (!this.hasMore) return;
    const query = new URLSearchParams(this.#nextPage ?? '');
    query.set('limit', String(limit)); // the next page's address has that of the page before
    const page = await this.tally.takeAll(this.chat.archive.conversations({ after: `?${query}` }));
    if (!page) return;
    this.#nextPage = page.next;
    this.tell('list');
  }

  /** Reads a conversation again from the server. @param {string} id @returns {Promise<any>} undefined for one that is not one's own */
  async refresh(id) {
    await this.tally.refresh(id);
    this.tell('list');
    return this.conversations.get(id);
  }

  /** The loaded part of a conversation, which stays for a while after one has left it. @param {string} id */
  history(id) {
    const { chat, view } = this;
    const lastPosition = (/** @type {string} */ one) => this.conversations.get(one)?.last_message?.position ?? null;
    const history = this.#histories.get(id) ?? new History(id, { chat, view, lastPosition, token: () => this.#token });
    this.#histories.delete(id);
    this.#histories.set(id, history);
    if (this.#histories.size > HISTORIES_MOST) this.#forget(/** @type {string} */ (this.#histories.keys().next().value));
    return history;
  }

  /** @param {string} id */
  #forget(id) {
    this.#histories.delete(id);
    const last = this.conversations.get(id)?.last_message?.position;
    if (last) this.view.keep(id, { from: last });
  }

  /** The conversation with a person, also if it is not in the loaded part of the list. @param {string} username @returns {Promise<string | null>} */
  async findDirect(username) {
    const known = this.conversations.direct(username)?.id ?? this.view.direct(username);
    if (known) return known;
    const { results } = await get(`users/${encodeURIComponent(username)}/messages?limit=1`);
    return results[0]?.conversation ?? null;
  }

  /** @param {any} chat */
  async #run(chat) {
    try {
      for await (const event of chat.events()) if (chat === this.chat) this.#take(event);
    } catch (error) {
      if (!(error instanceof ChatError)) throw error; // a fault of the page: seen in the console
      if (chat === this.chat) await this.returning.after(error);
    }
  }

  /** @param {any} event */
  #take(event) {
    const { t, d } = event;
    this.search?.take(event);
    if (t === 'mark') this.#noteMark(event.resume);
    else if (t === 'message' || t === 'sent' || (t === 'state' && d.kind === 'message')) this.#arrive(d, t);
    else if (DELTAS.has(t)) this.tally.change(event);
    else if (isMembers(event)) this.#meet(d);
    else if (t === 'marker' || (t === 'state' && d.kind === 'marker')) this.tally.mark(d, event.pos ?? d.changed);
    else if (t === 'reset') this.#reset(d.conversations);
    else if (t === 'loaded') this.#reloaded(d);
    else if (t === 'presence') this.tell('presence');
    else if (t === 'invitation' || (t === 'state' && d.kind === 'invitation')) this.tell('invitation', d);
  }

  /** @param {string} token */
  #noteMark(token) {
    if (this.#token !== null) return;
    this.#token = token;
    for (const history of this.#histories.values()) history.resync().catch(() => {});
    this.#refreshTop();
  }

  /** What changed between the first answer of the list and the first mark was not pushed. */
  async #refreshTop() {
    await this.tally.takeAll(this.chat.archive.conversations({ limit: PAGE_CONVERSATIONS, at_least: this.#token })).catch(() => {});
    this.tell('list');
  }

  /** @param {any} d @param {string} t */
  #arrive(d, t) {
    const message = this.view.message(d.id);
    if (!message?.conversation) {
      if (message?.receiver) this.#findPlace(message);
      return;
    }
    this.tally.arrive(message, { isOld: t === 'state' && this.#token === null });
    if (!this.#histories.has(message.conversation)) this.view.keep(message.conversation, { from: message.position });
    if (t === 'message' && message.sender !== this.me.username) this.tell('arrived', message);
    this.tell('list');
  }

  /** The first message to a person was sent: which conversation that has made is said by the archive, where no push has said it before. @param {any} message */
  async #findPlace({ receiver, position }) {
    const { view } = this;
    for (let tries = 0; tries < PLACE_TRIES && !view.direct(receiver); tries += 1) {
      const path = `users/${encodeURIComponent(receiver)}/messages?limit=1&at_least=${position}`;
      const { results } = await get(path).catch(() => ({ results: [] }));
      view.add(results);
      if (results.length === 0) await new Promise((resolve) => setTimeout(resolve, PLACE_WAIT_MS));
    }
    const id = view.direct(receiver);
    if (id && view === this.view) await this.refresh(id).catch(() => {});
  }

  /** @param {any} d */
  #meet(d) {
    if (endsFor(d, this.me.username)) {
      this.tally.leave(d.conversation);
      this.#histories.delete(d.conversation);
      this.tell('left', d.conversation);
    } else if (!this.tally.meet(d)) this.refresh(d.conversation).catch(() => {});
    this.tell('list');
  }

  /** @param {string[]} conversations what the view has forgotten: a page of each comes, unless there are too many */
  #reset(conversations) {
    if (conversations.length > RESETS_MOST) this.restart();
    else for (const conversation of conversations) this.#histories.get(conversation)?.reset();
  }

  /** @param {{conversation: string, whole: boolean}} loaded */
  #reloaded({ conversation, whole }) {
    this.#histories.get(conversation)?.restart(whole);
    this.refresh(conversation).catch(() => {});
    this.tell('messages', conversation);
  }

  /** @param {'open' | 'lost' | 'closed'} status @param {number} [close] @param {string} [reason] */
  #hear(status, close, reason) {
    if (status === 'open') this.returning.opened();
    if (status === 'closed') this.outgoing.stop();
    this.#setStatus(status !== 'closed' ? status : this.returning.isByItself(close) ? 'lost' : 'ended', reason);
  }

  /** @param {'connecting' | 'open' | 'lost' | 'ended'} kind @param {string} [reason] */
  #setStatus(kind, reason) {
    const isSame = (kind === 'open') === this.isOnline;
    this.status = { kind, reason, since: isSame ? this.status.since : Date.now() };
    this.tell('status');
  }

  /** Connects now where that would wait, also after a chat that has ended. */
  wake() {
    this.chat.wake();
    this.returning.wake();
  }

  /** @param {any} conversation */
  nameOf(conversation) {
    return conversation.title || otherOf(conversation, this.me.username) || '';
  }

  /** Marks as read up to there, unless that was so before. @param {string} id @param {string} position */
  markRead(id, position) {
    const conversation = this.conversations.get(id);
    const known = conversation?.markers?.read;
    if (known && comparePositions(known, position) >= 0 && !conversation?.unread_from) return;
    this.chat.mark(id, { read: position });
    this.tally.read(id, position);
    this.tell('list');
  }

  close() {
    this.returning.close();
    this.outgoing.close();
    this.chat.close();
  }

  /** Removes what this browser keeps for the person. */
  forget() {
    forgetKept(this.storage, this.me.username);
  }

  /** @param {string} type @param {any} [detail] */
  tell(type, detail = null) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
    if (type === 'list') dispatchEvent(new CustomEvent('klatsch:unread'));
  }
}
