/** How far people have received and read conversations, as far as a view was told. No I/O. */

import { comparePositions, higherPosition } from './known.js';

/**
 * `unread_from` is one's own flag, once it was told.
 * @typedef {{delivered: string | null, read: string | null, unread_from?: string | null}} Marker
 */
/** @typedef {{marker: Marker, at: string | undefined}} Told `at` is of the last record that has set the flag or ended it */

/**
 * The higher one of each position of two markers, and the later one's flag: a higher `read` ends it.
 * @param {Marker | undefined} one
 * @param {{delivered?: string | null, read?: string | null, unread_from?: string | null}} other
 * @returns {Marker}
 */
export function joinMarkers(one, other) {
  const [delivered, read] = [higherPosition(one?.delivered, other.delivered), higherPosition(one?.read, other.read)];
  if (other.unread_from !== undefined) return { delivered, read, unread_from: other.unread_from };
  if (one?.unread_from === undefined) return { delivered, read };
  return { delivered, read, unread_from: read === one.read ? one.unread_from : null };
}

export class Markers {
  /** @type {Map<string, Map<string, Told>>} By conversation and user. */
  #told = new Map();

  /**
   * By username.
   * @param {string} conversation
   * @returns {Record<string, Marker>}
   */
  of(conversation) {
    return Object.fromEntries([...(this.#told.get(conversation) ?? [])].map(([user, { marker }]) => [user, marker]));
  }

  /**
   * @param {{conversation: string, user: string, delivered: string | null, read: string | null, unread_from?: string | null}} marker
   * @param {string | undefined} at the position of its last record; one that is told again says nothing about the flag
   */
  put({ conversation, user, ...told }, at) {
    let markers = this.#told.get(conversation);
    if (!markers) this.#told.set(conversation, (markers = new Map()));
    const { marker: before, at: last } = markers.get(user) ?? {};
    const isAgain = at !== undefined && last !== undefined && comparePositions(at, last) <= 0;
    const marker = joinMarkers(before, isAgain ? { ...told, unread_from: before?.unread_from } : told);
    const counts = !isAgain && (told.unread_from !== undefined || marker.read !== before?.read);
    markers.set(user, { marker, at: counts ? (higherPosition(last, at) ?? undefined) : last });
  }

  /** @param {string} conversation */
  forget(conversation) {
    this.#told.delete(conversation);
  }
}
