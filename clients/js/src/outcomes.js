/** Tells the application of a send, a change or a mark that has its final answer. No I/O. */

import { deltaOf } from './deltas.js';

/**
 * The draft with its answer, or one's own change as others are pushed it.
 * @typedef {{t: string, pos?: string, d: any}} Outcome
 */

/**
 * @param {import('./drafts.js').Named} draft
 * @param {any} ok
 * @param {{user: string | null, now: () => number}} by who one is, and the server's time
 * @returns {Outcome}
 */
export function outcomeOf(draft, ok, { user, now }) {
  if (draft.op === 'mark') {
    const { conversation } = draft;
    return { t: 'marker', d: { conversation, user, delivered: ok.delivered ?? null, read: ok.read ?? null } };
  }
  if (draft.op === undefined) return { t: 'sent', pos: ok.position, d: { ...draft, ...ok, changed: ok.position } };
  const at = ok.edited_at ?? ok.deleted_at ?? ok.at ?? new Date(now()).toISOString();
  return deltaOf(draft, ok.position, { user, now: at, mentions: ok.mentions });
}

/**
 * @param {import('./drafts.js').Named} draft
 * @param {import('./errors.js').ChatError} error
 * @returns {Outcome}
 */
export function refusalOf(draft, error) {
  const changed = error.changed === undefined ? {} : { changed: error.changed };
  return { t: 'refused', d: { ...draft, code: error.code, detail: error.message, ...changed } };
}
