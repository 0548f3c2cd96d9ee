/** What an application shows: messages, markers, who types and who is online, with one's own pending changes. */

import { applyDelta, DELTAS, deltaOf, guessMentions } from './deltas.js';
import { Early } from './early.js';
import { callBack } from './errors.js';
import { comparePositions } from './known.js';
import { joinMarkers, Markers } from './markers.js';
import { endsFor, isMembers } from './members.js';
import { People } from './people.js';
import { followQuotes, previewOf } from './quotes.js';

/** @typedef {import('./markers.js').Marker} Marker */
/**
 * @typedef {object} Bound what a view asks its chat for
 * @property {() => string | null} user
 * @property {() => string} now the server's time
 * @property {() => Iterable<any>} drafts what has no answer yet, or one that was not given yet
 */

/**
 * The server's state, as far as it has come, and over it what one has changed and the server has not answered yet. A pending
 * change is seen at once, and no more when it is refused. It is computed anew whenever one looks, so what others change meanwhile
 * shows through it: `pending` of a message lists the changes.
 *
 * Give it to one Chat as the option `view`: it is kept up to date with the events that are given.
 */
export class View {
  /** @type {Map<string, Map<string, any>>} By conversation and id. */
  #conversations = new Map();

  /** @type {Map<string, string>} The conversation of each message that is here. */
  #where = new Map();

  #early = new Early();

  /** @type {Map<string, string>} The conversation with each person. */
  #directs = new Map();

  #markers = new Markers();

  #people = new People((conversation) => this.#tell(conversation));

  /** @type {Bound} */
  #chat = { user: () => null, now: () => '', drafts: () => [] };

  /** @param {{most?: number, onchange?: (conversation: string | null) => void}} [options] `most` messages are held; those that came first go */
  constructor({ most = 50_000, onchange = () => {} } = {}) {
    this.most = most;
    /** Told in which conversation something is different; null where it may be any. */
    this.onchange = onchange;
  }

  /** @param {Bound} chat */
  bind(chat) {
    this.#chat = chat;
  }

  /**
   * A message as it is to be shown.
   * @param {string} id
   * @returns {any} undefined for one that is not here
   */
  message(id) {
    const message = this.#get(id);
    return message && this.#shown(message, this.#changes().get(id));
  }

  /**
   * All of a conversation that are here, in its order.
   * @param {string} conversation
   * @returns {any[]}
   */
  messages(conversation) {
    const changes = this.#changes();
    const messages = [...(this.#conversations.get(conversation)?.values() ?? [])];
    messages.sort((one, other) => comparePositions(one.position, other.position));
    return messages.map((message) => this.#shown(message, changes.get(message.id)));
  }

  /**
   * The conversation with a person, once a message of it has come.
   * @param {string} username
   */
  direct(username) {
    return this.#directs.get(username);
  }

  /**
   * How far each person has received and read it, by username; of oneself also what is still to be marked, and one's flag.
   * @param {string} conversation
   * @returns {Record<string, Marker>}
   */
  markers(conversation) {
    const markers = this.#markers.of(conversation);
    const user = this.#chat.user() ?? '';
    for (const draft of this.#chat.drafts()) {
      if (draft.op === 'mark' && draft.conversation === conversation) markers[user] = joinMarkers(markers[user], draft);
    }
    return markers;
  }

  /**
   * Those who type there now.
   * @param {string} conversation
   */
  typing(conversation) {
    return this.#people.typing(conversation);
  }

  /**
   * Whether a person that one watches is online.
   * @param {string} username
   * @returns {boolean | undefined} undefined while that is not known
   */
  isOnline(username) {
    return this.#people.isOnline(username);
  }

  /**
   * Takes messages of a history: each counts unless a later change of it is here.
   * @param {any[]} messages
   */
  add(messages) {
    for (const message of messages) this.#put(message);
    this.#tell(null);
  }

  /**
   * Takes an event of the chat's.
   * @param {{t: string, d?: any, pos?: string}} event
   */
  apply(event) {
    const { t, d } = event;
    let conversation = d?.conversation ?? null;
    if (DELTAS.has(t)) conversation = this.#change(/** @type {any} */ (event));
    else if (t === 'sent') conversation = this.#put(this.#messageOf(d));
    else if (t === 'message' || t === 'message_changed' || (t === 'state' && d.kind === 'message')) this.#put(d);
    else if (t === 'marker' || (t === 'state' && d.kind === 'marker')) this.#markers.put(d, event.pos ?? d.changed);
    else if (isMembers(event)) this.#meet(d);
    else if (t === 'typing') this.#people.type(d);
    else if (t === 'presence') this.#people.show(d);
    else if (t === 'reset') for (const name of d.conversations) this.#forgetAll(name);
    else if (t !== 'refused') return;
    if (t === 'message') this.#people.type({ conversation, user: d.sender, on: false });
    this.#tell(conversation);
  }

  /**
   * Forgets a conversation's messages outside of what is shown of it, its ends included: what an application shows is bounded, and
   * a page brings the rest again.
   * @param {string} conversation
   * @param {{from: string, to?: string | null}} shown positions; without `to`, up to the newest
   */
  keep(conversation, { from, to }) {
    for (const { id, position } of [...(this.#conversations.get(conversation)?.values() ?? [])]) {
      if (comparePositions(position, from) < 0 || (to && comparePositions(position, to) > 0)) this.#forget(id);
    }
  }

  /** Something that is pending is different. */
  changed() {
    this.#tell(null);
  }

  /** Nobody is known to type or to be online. */
  loseConnection() {
    this.#people.forget();
    this.#tell(null);
  }

  /** @param {string | null} conversation */
  #tell(conversation) {
    callBack(() => this.onchange(conversation));
  }

  /** @param {string} id */
  #get(id) {
    return this.#conversations.get(this.#where.get(id) ?? '')?.get(id);
  }

  /** One's own pending changes, by message. */
  #changes() {
    /** @type {Map<string, any[]>} */
    const changes = new Map();
    for (const draft of this.#chat.drafts()) {
      if (draft.message === undefined) continue;
      const others = changes.get(draft.message);
      if (others) others.push(draft);
      else changes.set(draft.message, [draft]);
    }
    return changes;
  }

  /**
   * @param {any} given
   * @returns {string} the conversation in which it is now
   */
  #put({ kind: _kind, ...given }) {
    let message = { ...given, changed: given.changed ?? given.position };
    const known = this.#get(message.id);
    if (known) {
      if (comparePositions(message.changed, known.changed) < 0) return known.conversation;
      message.seq ??= known.seq;
    }
    for (const delta of this.#early.take(message.id)) {
      if (comparePositions(delta.pos, message.changed) > 0) message = applyDelta(message, delta);
    }
    if (known && known.conversation !== message.conversation) this.#forget(known.id);
    this.#learnDirect(message);
    this.#where.set(message.id, message.conversation);
    let messages = this.#conversations.get(message.conversation);
    if (!messages) this.#conversations.set(message.conversation, (messages = new Map()));
    messages.set(message.id, message);
    if (message.deleted || message.edited_at) followQuotes(messages, message);
    if (this.#where.size > this.most) this.#forget(/** @type {string} */ (this.#where.keys().next().value));
    return message.conversation;
  }

  /**
   * @param {import('./deltas.js').Delta} delta
   * @returns {string | null} the conversation of its message
   */
  #change(delta) {
    const { id, conversation, content } = delta.d;
    const isDeleted = delta.t === 'message_deleted';
    const isOther = isDeleted || delta.t === 'message_edited';
    if (isOther) followQuotes(this.#conversations.get(conversation) ?? new Map(), { id, content, deleted: isDeleted });
    const message = this.#get(id);
    if (!message) {
      this.#early.put(delta);
      return null;
    }
    if (comparePositions(delta.pos, message.changed) > 0) {
      this.#conversations.get(message.conversation)?.set(message.id, applyDelta(message, delta));
    }
    return message.conversation;
  }

  /** @param {string} id */
  #forget(id) {
    const conversation = this.#where.get(id) ?? '';
    const messages = this.#conversations.get(conversation);
    this.#where.delete(id);
    messages?.delete(id);
    if (messages?.size === 0) this.#conversations.delete(conversation);
  }

  /** @param {string} conversation */
  #forgetAll(conversation) {
    for (const id of [...(this.#conversations.get(conversation)?.keys() ?? [])]) this.#forget(id);
  }

  /**
   * Notes whose conversation it is, and puts into it what one has sent to that person before it was known.
   * @param {any} message
   */
  #learnDirect({ receiver, conversation, sender }) {
    if (!receiver || !conversation) return;
    const other = sender === this.#chat.user() ? receiver : sender;
    if (this.#directs.get(other) === conversation) return;
    this.#directs.set(other, conversation);
    const sent = [...(this.#conversations.get('')?.values() ?? [])].filter((message) => message.receiver === other);
    for (const message of sent) this.#put({ ...message, conversation });
  }

  /** @param {any} sent */
  #messageOf({ id, client_id, to, conversation, content, reply_to, position, duplicate, mentions }) {
    const known = conversation ?? this.#directs.get(to) ?? '';
    const receiver = to ?? [...this.#directs].find(([, place]) => place === known)?.[0] ?? null;
    return {
      id, client_id, conversation: known, sender: this.#chat.user(), receiver, content, sent_at: this.#chat.now(), position,
      changed: position, edited_at: null, deleted: false, reply_to: reply_to ?? null, reactions: {}, reaction_counts: {},
      mentions: mentions ?? (duplicate ? guessMentions(content) : []), pinned_at: null,
    };
  }

  /**
   * @param {any} message
   * @param {any[]} [changes]
   */
  #shown(message, changes = []) {
    let shown = message;
    const original = message.reply_to && this.#get(message.reply_to);
    if (original) shown = { ...shown, reply_preview: previewOf(original) };
    if (message.deleted || changes.length === 0) return shown;
    const by = { user: this.#chat.user(), now: this.#chat.now() };
    for (const change of changes) shown = applyDelta(shown, deltaOf(change, message.changed, by));
    return { ...shown, pending: changes };
  }

  /**
   * Learns with whom a new direct conversation is; forgets a conversation to which one does not belong any more.
   * @param {any} members
   */
  #meet({ conversation, kind, members }) {
    const user = this.#chat.user();
    const other = members.find((/** @type {any} */ member) => member.user !== user);
    if (kind === 'direct' && other) this.#learnDirect({ receiver: other.user, conversation, sender: user });
    if (!endsFor({ members }, user)) return;
    this.#forgetAll(conversation);
    this.#markers.forget(conversation);
  }
}
