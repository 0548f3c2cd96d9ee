/** What an application shows: messages, markers, who types and who is online, with one's own pending changes. */

import { applyDelta, DELTAS, deltaOf, guessMentions } from './deltas.js';
import { callBack } from './errors.js';
import { comparePositions } from './known.js';
import { joinMarkers, Markers } from './markers.js';
import { endsFor, isMembers } from './members.js';
import { Messages } from './messages.js';
import { People } from './people.js';
import { previewOf } from './quotes.js';

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
  #messages;

  #markers = new Markers();

  #people = new People((conversation) => this.#tell(conversation));

  /** @type {Bound} */
  #chat = { user: () => null, now: () => '', drafts: () => [] };

  /** @param {{most?: number, onchange?: (conversation: string | null) => void}} [options] `most` messages are held; those that came first go */
  constructor({ most = 50_000, onchange = () => {} } = {}) {
    this.#messages = new Messages(most, () => this.#chat.user());
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
    const message = this.#messages.get(id);
    return message && this.#shown(message, this.#changes().get(id));
  }

  /**
   * All of a conversation that are here, in its order.
   * @param {string} conversation
   * @returns {any[]}
   */
  messages(conversation) {
    const changes = this.#changes();
    const messages = this.#messages.of(conversation);
    messages.sort((one, other) => comparePositions(one.position, other.position));
    return messages.map((message) => this.#shown(message, changes.get(message.id)));
  }

  /**
   * The conversation with a person, once a message of it has come.
   * @param {string} username
   */
  direct(username) {
    return this.#messages.direct(username);
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
    for (const message of messages) this.#messages.put(message);
    this.#tell(null);
  }

  /**
   * Takes an event of the chat's.
   * @param {{t: string, d?: any, pos?: string}} event
   */
  apply(event) {
    const { t, d } = event;
    let conversation = d?.conversation ?? null;
    if (DELTAS.has(t)) conversation = this.#messages.change(/** @type {any} */ (event));
    else if (t === 'sent') conversation = this.#messages.put(this.#messageOf(d));
    else if (t === 'message' || t === 'message_changed' || (t === 'state' && d.kind === 'message')) this.#messages.put(d);
    else if (t === 'marker' || (t === 'state' && d.kind === 'marker')) this.#markers.put(d, event.pos ?? d.changed);
    else if (isMembers(event)) this.#meet(d);
    else if (t === 'typing') this.#people.type(d);
    else if (t === 'presence') this.#people.show(d);
    else if (t === 'reset') for (const name of d.conversations) this.#messages.forgetAll(name);
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
  keep(conversation, shown) {
    this.#messages.keep(conversation, shown);
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

  /** @param {any} sent */
  #messageOf({ id, client_id, to, conversation, content, reply_to, position, duplicate, mentions }) {
    const known = conversation ?? this.#messages.direct(to) ?? '';
    const receiver = to ?? this.#messages.receiver(known);
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
    const original = message.reply_to && this.#messages.get(message.reply_to);
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
    if (kind === 'direct' && other) this.#messages.learnDirect({ receiver: other.user, conversation, sender: user });
    if (!endsFor({ members }, user)) return;
    this.#messages.forgetAll(conversation);
    this.#markers.forget(conversation);
  }
}
