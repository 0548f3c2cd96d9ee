/** Read marks that the server has answered, and that are sent again after a lost connection. No I/O. */

import { endsFor, isMembers } from './members.js';

const REPEAT_MS = 60_000; // a server may lose a mark that it has answered, if it ends before it has written it

/** @typedef {import('./drafts.js').Marking} Marking */

/**
 * The last answered read mark of each conversation, until it is too old or overtaken. It is repeated behind the replay of the next
 * connection, since what has overtaken it may be in there. A saved state is without it: after a restore it could come before that.
 */
export class Repeats {
  /** @type {Map<string, {draft: Marking, at: number}>} By conversation. */
  #answered = new Map();

  /** @type {Map<string, Marking>} What the next connection is to repeat, by conversation. */
  #held = new Map();

  /**
   * The server has a mark.
   * @param {Marking} draft
   * @param {number} now
   */
  answered(draft, now) {
    this.#answered.set(draft.conversation, { draft, at: now });
  }

  /**
   * Holds what was answered a moment ago, until `take`.
   * @param {number} now
   */
  lost(now) {
    for (const [conversation, { draft, at }] of this.#answered) if (now - at < REPEAT_MS) this.#held.set(conversation, draft);
    this.#answered.clear();
  }

  /** The marks to send again, once all that was missed has come. */
  take() {
    const held = [...this.#held.values()];
    this.#held.clear();
    return held;
  }

  /**
   * Forgets the mark that a push has overtaken: it would take the person's flag "unread from here" away, be refused in a conversation
   * that they have left, or, after a reset, overrule a flag that no push has told.
   * @param {any} frame
   * @param {string | null} user who one is
   */
  see({ t, d }, user) {
    if (t === 'reset') for (const conversation of d.conversations) this.#forget(conversation);
    else if (d?.unread_from || (isMembers({ t, d }) && endsFor(d, user))) this.#forget(d.conversation);
  }

  /** @param {string} conversation */
  #forget(conversation) {
    this.#answered.delete(conversation);
    this.#held.delete(conversation);
  }
}
