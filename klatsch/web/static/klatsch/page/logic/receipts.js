/** How far a message of one's own has come, as far as others have said. No DOM. */

import { comparePositions } from '../../client.js';

/** @typedef {{delivered: string | null, read: string | null}} Marker */
/** @typedef {{state: 'sending' | 'failed' | 'sent' | 'delivered' | 'read', delivered: string[], read: string[]}} Receipt */

/** @param {string | null | undefined} marker @param {string} position */
const covers = (marker, position) => Boolean(marker) && comparePositions(/** @type {string} */ (marker), position) >= 0;

/**
 * `delivered` and `read` name who has said so. In a group the state is what all others have said, if all are known; one person
 * who keeps it to themselves keeps it at `sent`: the names tell the rest.
 * @param {any} message
 * @param {Record<string, Marker>} markers by username
 * @param {{me: string, others: number}} people the number of other members
 * @returns {Receipt}
 */
export function receiptOf(message, markers, { me, others }) {
  if (!message.position) return { state: message.failed ? 'failed' : 'sending', delivered: [], read: [] };
  const names = Object.keys(markers).filter((name) => name !== me);
  const read = names.filter((name) => covers(markers[name].read, message.position));
  const delivered = names.filter((name) => covers(markers[name].delivered, message.position) || read.includes(name));
  const state = others > 0 && read.length >= others ? 'read' : others > 0 && delivered.length >= others ? 'delivered' : 'sent';
  return { state, delivered, read };
}
