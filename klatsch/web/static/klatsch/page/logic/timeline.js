/** What stands below one another in a conversation: days, the line "new", and bubbles in groups. No DOM. */

import { dayKey } from './times.js';

const GROUP_MS = 5 * 60_000;

/**
 * @typedef {{kind: 'day', key: string, date: Date} | {kind: 'new', key: string}
 *   | {kind: 'message', key: string, message: any, isFirst: boolean, isLast: boolean}} Item
 */

/** A message's key: the same before and after the server has it. @param {any} message */
export const keyOf = (message) => `${message.sender}/${message.client_id ?? message.id}`;

/**
 * Joins what the server has, and below it what is not sent yet.
 * @param {any[]} sent
 * @param {any[]} entries of the outbox
 * @param {{me: string, view: any}} options
 */
export function withWaiting(sent, entries, { me, view }) {
  const known = new Set(sent.map(keyOf));
  const waiting = entries.map((entry) => ({
    ...entry, sender: me, sent_at: entry.at, reactions: {}, reaction_counts: {}, mentions: [],
    reply_preview: entry.reply_to ? view.message(entry.reply_to) : null,
  }));
  return [...sent, ...waiting.filter((one) => !known.has(keyOf(one)))];
}

/**
 * @param {any[]} messages in their order; those without a position are not sent yet
 * @param {{newFrom: string | null, where?: import('./times.js').Where}} options the key of the message before which "new" stands
 * @returns {Item[]}
 */
export function itemsOf(messages, { newFrom, where }) {
  /** @type {Item[]} */
  const items = [];
  /** @type {{kind: 'message', key: string, message: any, isFirst: boolean, isLast: boolean} | null} */
  let last = null;
  for (const message of messages) {
    const key = keyOf(message);
    const date = new Date(message.sent_at);
    const day = dayKey(date, where);
    const isNewDay = !last || dayKey(new Date(last.message.sent_at), where) !== day;
    const isNew = key === newFrom;
    if (isNewDay) items.push({ kind: 'day', key: `day ${day} ${key}`, date });
    if (isNew) items.push({ kind: 'new', key: 'new' });
    const isFirst = isNewDay || isNew || !last || !isGroup(last.message, message);
    if (isFirst && last) last.isLast = true;
    last = { kind: 'message', key, message, isFirst, isLast: false };
    items.push(last);
  }
  if (last) last.isLast = true;
  return items;
}

/** Whether two messages that follow each other stand together. @param {any} one @param {any} next */
function isGroup(one, next) {
  return one.sender === next.sender && !next.reply_to && Date.parse(next.sent_at) - Date.parse(one.sent_at) < GROUP_MS;
}
