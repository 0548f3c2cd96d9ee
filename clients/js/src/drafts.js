/** What one sends, changes and marks, before its final answer. No I/O. */

import { ChatError } from './errors.js';

const SEND_FIELDS = ['client_id', 'to', 'conversation', 'content', 'reply_to'];
const CHANGE_FIELDS = ['op', 'client_id', 'message', 'position', 'conversation', 'content', 'base', 'emoji', 'on'];

/** @typedef {{content: string, to?: string, conversation?: string, reply_to?: string | null, client_id?: string}} Draft */
/** @typedef {{op: 'mark', conversation: string, delivered?: string, read?: string, client_id?: undefined}} Marking */
/** @typedef {Draft | import('./deltas.js').Change | Marking} SavedSend one without `op` is a message */
/** @typedef {any} Named a draft that is named when it is first written or saved; a mark has no name */

/** @param {Named} draft what of several is to be written one after the other, whatever fails */
export function targetOf({ op, message, conversation }) {
  return op === undefined ? null : op === 'mark' ? `mark ${conversation}` : message;
}

/**
 * @param {number} id
 * @param {any} draft
 */
export function frameOf(id, { op = 'send', ...d }) {
  if (op !== 'send' && op !== 'mark') delete d.conversation;
  return JSON.stringify({ id, op, d });
}

/**
 * Refuses what the server would call malformed: ten of those in a row would end the connection.
 * @param {any} draft
 */
export function check(draft) {
  if (draft.op === 'mark') checkMark(draft);
  else if (draft.op === undefined) checkSend(draft);
  else checkChange(draft);
}

/**
 * A draft of its own, with the fields that it may have.
 * @param {any} draft
 * @returns {any}
 */
export function copyOf(draft) {
  const names = draft.op === undefined ? SEND_FIELDS : CHANGE_FIELDS;
  return Object.fromEntries(names.map((name) => [name, draft[name]]));
}

/** @param {Draft} draft */
function checkSend({ content, to, conversation, reply_to, client_id }) {
  const texts = [content, to ?? conversation, reply_to ?? '', client_id ?? '0'];
  if (texts.some((text) => typeof text !== 'string') || (to == null) === (conversation == null)) {
    throw new ChatError('bad_request', 'A send has a content, and either a conversation or whom it is to, as texts.');
  }
  checkTexts(texts, client_id);
}

/** @param {import('./deltas.js').Change} change */
function checkChange({ op, message, position, client_id, content, base, emoji, on }) {
  const texts = [message, position, client_id ?? '0', base ?? '', ...(op === 'edit' ? [content] : op === 'react' ? [emoji] : [])];
  if (texts.some((text) => typeof text !== 'string') || (['react', 'pin'].includes(op) && typeof on !== 'boolean')) {
    throw new ChatError('bad_request', 'A change has a message with its id and position, and what is to be changed.');
  }
  checkTexts(/** @type {string[]} */ (texts), client_id);
}

/** @param {Marking} marking */
function checkMark({ conversation, delivered, read }) {
  const texts = [conversation, delivered ?? '', read ?? ''];
  if (texts.some((text) => typeof text !== 'string') || !(delivered || read)) {
    throw new ChatError('bad_request', 'A mark has a conversation, and up to which position it is read or delivered.');
  }
}

/**
 * @param {string[]} texts
 * @param {string | undefined} client_id
 */
function checkTexts(texts, client_id) {
  if (client_id !== undefined && !/^[A-Za-z0-9_-]{1,64}$/.test(client_id)) {
    throw new ChatError('bad_request', 'A client_id is 1 to 64 of A-Z a-z 0-9 _ -.');
  }
  // @ts-ignore - isWellFormed is of 2024
  if (!texts.every((text) => text.isWellFormed())) throw new ChatError('invalid_content', 'A lone surrogate is no text.');
}
