/** The messages that are here, as the server has told them: each one as far as its changes have come. No I/O. */

import { applyDelta } from './deltas.js';
import { Early } from './early.js';
import { comparePositions } from './known.js';
import { followQuotes } from './quotes.js';

/**
 * Holds `most` messages by conversation; those that came first go. What one has sent to a person before the conversation with them is
 * known stands in the conversation `''` until then.
 */
export class Messages {
  /** @type {Map<string, Map<string, any>>} By conversation and id. */
  #conversations = new Map();

  /** @type {Map<string, string>} The conversation of each message that is here. */
  #where = new Map();

  /** @type {Map<string, string>} The conversation with each person. */
  #directs = new Map();
  #early = new Early();
  #most;
  #user;

  /**
   * @param {number} most
   * @param {() => string | null} user who one is
   */
  constructor(most, user) {
    this.#most = most;
    this.#user = user;
  }

  /**
   * @param {string} id
   * @returns {any} undefined for one that is not here
   */
  get(id) {
    return this.#conversations.get(this.#where.get(id) ?? '')?.get(id);
  }

  /**
   * All of a conversation that are here, in the order in which they came.
   * @param {string} conversation
   * @returns {any[]}
   */
  of(conversation) {
    return [...(this.#conversations.get(conversation)?.values() ?? [])];
  }

  /**
   * The conversation with a person, once that is known.
   * @param {string} username
   */
  direct(username) {
    return this.#directs.get(username);
  }

  /**
   * The person with whom a direct conversation is.
   * @param {string} conversation
   * @returns {string | null} null of a group, and of what is not known
   */
  receiver(conversation) {
    return [...this.#directs].find(([, direct]) => direct === conversation)?.[0] ?? null;
  }

  /**
   * Takes a message, unless a later change of it is here.
   * @param {any} given
   * @returns {string} the conversation in which it is now
   */
  put({ kind: _kind, ...given }) {
    let message = { ...given, changed: given.changed ?? given.position };
    const known = this.get(message.id);
    if (known) {
      if (comparePositions(message.changed, known.changed) < 0) return known.conversation;
      message.seq ??= known.seq;
    }
    for (const delta of this.#early.take(message.id)) {
      if (comparePositions(delta.pos, message.changed) > 0) message = applyDelta(message, delta);
    }
    if (known && known.conversation !== message.conversation) this.#forget(known.id);
    this.learnDirect(message);
    this.#where.set(message.id, message.conversation);
    let messages = this.#conversations.get(message.conversation);
    if (!messages) this.#conversations.set(message.conversation, (messages = new Map()));
    messages.set(message.id, message);
    if (message.deleted || message.edited_at) followQuotes(messages, message);
    if (this.#where.size > this.#most) this.#forget(/** @type {string} */ (this.#where.keys().next().value));
    return message.conversation;
  }

  /**
   * Applies a change, or keeps it until its message comes.
   * @param {import('./deltas.js').Delta} delta
   * @returns {string | null} the conversation of its message
   */
  change(delta) {
    const { id, conversation, content } = delta.d;
    const isDeleted = delta.t === 'message_deleted';
    const isOther = isDeleted || delta.t === 'message_edited';
    if (isOther) followQuotes(this.#conversations.get(conversation) ?? new Map(), { id, content, deleted: isDeleted });
    const message = this.get(id);
    if (!message) {
      this.#early.put(delta);
      return null;
    }
    if (comparePositions(delta.pos, message.changed) > 0) {
      this.#conversations.get(message.conversation)?.set(message.id, applyDelta(message, delta));
    }
    return message.conversation;
  }

  /**
   * Forgets a conversation's messages outside of what is shown of it.
   * @param {string} conversation
   * @param {{from: string, to?: string | null}} shown positions; without `to`, up to the newest
   */
  keep(conversation, { from, to }) {
    for (const { id, position } of this.of(conversation)) {
      if (comparePositions(position, from) < 0 || (to && comparePositions(position, to) > 0)) this.#forget(id);
    }
  }

  /** @param {string} conversation */
  forgetAll(conversation) {
    for (const { id } of this.of(conversation)) this.#forget(id);
  }

  /**
   * Notes with whom a direct conversation is, and puts into it what one has sent to that person before it was known.
   * @param {any} message
   */
  learnDirect({ receiver, conversation, sender }) {
    if (!receiver || !conversation) return;
    const other = sender === this.#user() ? receiver : sender;
    if (this.#directs.get(other) === conversation) return;
    this.#directs.set(other, conversation);
    const sent = this.of('').filter((message) => message.receiver === other);
    for (const message of sent) this.put({ ...message, conversation });
  }

  /** @param {string} id */
  #forget(id) {
    const conversation = this.#where.get(id) ?? '';
    const messages = this.#conversations.get(conversation);
    this.#where.delete(id);
    messages?.delete(id);
    if (messages?.size === 0) this.#conversations.delete(conversation);
  }
}
