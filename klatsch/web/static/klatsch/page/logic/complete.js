/** What `@` and `:` in the composer complete to. No DOM. */

import { findEmoji } from './emoji.js';

const SHOWN_MOST = 8;
const EMOJI_FROM = 2; // characters: ":)" and "10:30" open nothing

/** @typedef {{kind: 'person' | 'emoji', from: number, text: string}} Query what is being completed: it begins at `from` with its sign */

/**
 * What stands before the caret and may be completed.
 * @param {string} text
 * @param {number} caret
 * @returns {Query | null}
 */
export function queryAt(text, caret) {
  const before = text.slice(0, caret);
  const person = /(?:^|[\s(])@([\p{L}\p{N}_.-]*)$/u.exec(before);
  if (person) return { kind: 'person', from: caret - person[1].length - 1, text: person[1] };
  const emoji = /(?:^|[\s(]):([\p{L}\p{N}_+-]+)$/u.exec(before);
  if (emoji && emoji[1].length >= EMOJI_FROM) return { kind: 'emoji', from: caret - emoji[1].length - 1, text: emoji[1] };
  return null;
}

/**
 * The people whose name begins so: those who spoke last first, then the other members.
 * @param {string} text
 * @param {{members: string[], recent: string[], me: string}} people
 */
export function findPeople(text, { members, recent, me }) {
  const wanted = text.toLowerCase();
  const isMember = new Set(members);
  const ordered = [...new Set([...recent.filter((name) => isMember.has(name)), ...members])];
  return ordered.filter((name) => name !== me && name.toLowerCase().startsWith(wanted)).slice(0, SHOWN_MOST);
}

/**
 * @param {Query} query
 * @param {{members: string[], recent: string[], me: string}} people
 * @returns {{label: string, insert: string, sign: string}[]}
 */
export function completionsOf(query, people) {
  if (query.kind === 'person') return findPeople(query.text, people).map((name) => ({ label: name, insert: `@${name} `, sign: '' }));
  return findEmoji(query.text, SHOWN_MOST).map(({ emoji, names }) => ({ label: names[0], insert: `${emoji} `, sign: emoji }));
}
