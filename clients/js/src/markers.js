/** How far people have received and read conversations, as far as a view was told. No I/O. */

import { higherMarker } from './known.js';

/** @typedef {{delivered: string | null, read: string | null}} Marker */

export class Markers {
  /** @type {Map<string, Map<string, Marker>>} By conversation and user. */
  #markers = new Map();

  /**
   * By username.
   * @param {string} conversation
   * @returns {Record<string, Marker>}
   */
  of(conversation) {
    return Object.fromEntries(this.#markers.get(conversation) ?? []);
  }

  /** @param {{conversation: string, user: string, delivered: string | null, read: string | null}} marker */
  put({ conversation, user, delivered, read }) {
    let markers = this.#markers.get(conversation);
    if (!markers) this.#markers.set(conversation, (markers = new Map()));
    markers.set(user, higherMarker(markers.get(user), { delivered, read }));
  }

  /** @param {string} conversation */
  forget(conversation) {
    this.#markers.delete(conversation);
  }
}
