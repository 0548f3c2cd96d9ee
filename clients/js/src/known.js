/**
 * What the application has been given, so that nothing is given twice. No I/O.
 *
 * What must be remembered: the server sends again only what stands at or behind the token that it was shown. So the token
 * itself remembers all that is before it, and ids are kept for what was given since: what comes between two resume marks (25 s),
 * or in one replay, which the server bounds. While conversations are loaded anew nothing is forgotten, as a page may be
 * older than a change that was given since. After a `reset` what was given before counts for nothing in its conversations.
 */

import { DELTAS } from './deltas.js';

/**
 * Orders positions of one partition by epoch, then offset; offsets may exceed 2^53.
 * @param {string} one
 * @param {string} other
 * @returns {number} below, at or above 0
 */
export function comparePositions(one, other) {
  const [epoch, , offset] = one.split(':');
  const [otherEpoch, , otherOffset] = other.split(':');
  if (epoch !== otherEpoch) return Number(epoch) - Number(otherEpoch);
  const difference = BigInt(offset) - BigInt(otherOffset);
  return difference < 0n ? -1 : Number(difference > 0n);
}

/**
 * The higher one; null where there is none.
 * @param {string | null | undefined} one
 * @param {string | null | undefined} other
 */
export function higherPosition(one, other) {
  if (one && other) return comparePositions(one, other) < 0 ? other : one;
  return one ?? other ?? null;
}

/** @param {string} token `<epoch>.<user hash>.<partition>:<offset>.…`, offsets being the next ones to read */
function parseToken(token) {
  const [epoch, user, ...pairs] = token.split('.');
  const offsets = new Map(pairs.map((pair) => /** @type {[string, string]} */ (pair.split(':', 2))));
  return { epoch, user, offsets };
}

/**
 * The further one in every partition: a gateway that lags may have come less far than another one did.
 * @param {string | null} one
 * @param {string} other
 */
function furtherToken(one, other) {
  if (one === null || one === other) return other;
  const [before, after] = [parseToken(one), parseToken(other)];
  if (before.epoch !== after.epoch || before.user !== after.user) return other;
  for (const [partition, offset] of after.offsets) {
    const had = before.offsets.get(partition);
    if (had !== undefined && BigInt(had) > BigInt(offset)) after.offsets.set(partition, had);
  }
  return [after.epoch, after.user, ...[...after.offsets].map((pair) => pair.join(':'))].join('.');
}

/** @typedef {{changed: string, generation: number}} Given */
/**
 * @typedef {{token: string | null, given: Record<string, Given>, resets: Record<string, number>, generation: number}} SavedKnown
 */

export class Known {
  /** @type {string | null} */
  #token = null;
  #parsed = parseToken('0.');

  /** @type {Map<string, Given>} By message id, or by position for what is no message. */
  #given;

  /** @type {Map<string, number>} The generation in which a conversation begins anew. */
  #resets;
  #generation;
  #afterReset = false;

  /** @param {SavedKnown} [saved] */
  constructor(saved) {
    if (saved?.token) this.#setToken(saved.token);
    this.#given = new Map(Object.entries(saved?.given ?? {}));
    this.#resets = new Map(Object.entries(saved?.resets ?? {}));
    this.#generation = saved?.generation ?? 0;
  }

  /** That of the last resume mark that the application has taken. */
  get token() {
    return this.#token;
  }

  /**
   * Whether this frame brings nothing that was not given before.
   * @param {any} frame
   */
  has(frame) {
    if (frame.pos && this.#isBeforeToken(frame.pos)) return true;
    const { key, changed, conversation } = subject(frame);
    const given = this.#given.get(key);
    if (!given || given.generation < (this.#resets.get(conversation) ?? 0)) return false;
    return frame.t === 'message' || comparePositions(changed, given.changed) <= 0;
  }

  /**
   * Notes that the application is given this frame now.
   * @param {any} frame
   */
  give(frame) {
    const { key, changed } = subject(frame);
    if (key && !this.#isBeforeToken(changed)) this.#given.set(key, { changed, generation: this.#generation });
  }

  /**
   * From here on nothing counts that was given of these conversations, and the next token is taken as it is.
   * @param {string[]} conversations
   */
  reset(conversations) {
    this.#generation += 1;
    for (const conversation of conversations) this.#resets.set(conversation, this.#generation);
    this.#afterReset = true;
  }

  /**
   * All before this token has been given.
   * @param {string} token
   * @param {{forget: boolean}} options whether what is before it may be forgotten
   */
  takeToken(token, { forget }) {
    this.#setToken(this.#afterReset ? token : furtherToken(this.#token, token));
    this.#afterReset = false;
    if (!forget) return;
    for (const [key, { changed }] of this.#given) if (this.#isBeforeToken(changed)) this.#given.delete(key);
    if (this.#given.size === 0) this.#resets.clear();
  }

  /** @param {string} token */
  #setToken(token) {
    this.#token = token;
    this.#parsed = parseToken(token);
  }

  /** @param {string} position */
  #isBeforeToken(position) {
    const { epoch, offsets } = this.#parsed;
    const [itsEpoch, partition, offset] = position.split(':');
    if (itsEpoch !== epoch) return Number(itsEpoch) < Number(epoch);
    return BigInt(offset) < BigInt(offsets.get(partition) ?? 0);
  }

  /** @returns {SavedKnown} */
  save() {
    return {
      token: this.#token,
      given: Object.fromEntries(this.#given),
      resets: Object.fromEntries(this.#resets),
      generation: this.#generation,
    };
  }
}

/**
 * What a frame is about and how new it is; without a key where it is nothing durable.
 * @param {any} frame
 */
function subject({ t, pos, d }) {
  if (DELTAS.has(t)) return { key: d.id, changed: pos, conversation: d.conversation };
  if (t === 'marker') return { key: '', changed: pos, conversation: d.conversation }; // told again, it does no harm
  const isMessage = t === 'message' || t === 'message_changed' || t === 'sent' || (t === 'state' && d.kind === 'message');
  if (isMessage) return { key: d.id, changed: d.changed ?? d.position, conversation: d.conversation };
  return { key: pos ?? '', changed: pos, conversation: d?.conversation };
}
