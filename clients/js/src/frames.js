/** Frames and rows of the server, checked for what the rest of this module counts on before anything does. No I/O. */

import { SHOWN } from './signals.js';

const POSITION = /^\d{1,19}:\d{1,19}:\d{1,19}$/;
const TOKEN = /^\d{1,19}\.[^.:]*(\.\d{1,19}:\d{1,19})*$/;

/** @param {any} value */
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
/** @param {any} value */
const isText = (value) => typeof value === 'string';
/** @param {any} value */
const isPosition = (value) => isText(value) && POSITION.test(value);
/** @param {any} value */
const isPlace = (value) => value === undefined || value === null || isPosition(value);
/** @param {any} value */
const isTexts = (value) => Array.isArray(value) && value.every(isText);
/** @param {any} value */
const isToken = (value) => isText(value) && TOKEN.test(value);
/** @param {any} value */
const isSeconds = (value) => value === undefined || value === null || Number.isFinite(value);

/**
 * Whether this is a message, as a push has it or a row of a history.
 * @param {any} message
 */
export function isMessage(message) {
  if (!isObject(message)) return false;
  const { id, client_id, conversation, sender, content, position, changed } = message;
  return [id, conversation, sender, content].every(isText) && isPosition(position) && isPosition(changed ?? position) &&
    (client_id === undefined || isText(client_id));
}

/** @param {any} frame */
const isDelta = ({ pos, d }) => isPosition(pos) && isText(d.id) && isText(d.conversation);
/** @param {any} d */
const isMarker = (d) => isText(d.conversation) && isText(d.user) && isPlace(d.delivered) && isPlace(d.read) && isPlace(d.unread_from);
/** @param {any} d */
const isMembers = (d) => isText(d.conversation) && Array.isArray(d.members) && d.members.every(isObject);

/** @type {Record<string, (d: any) => boolean>} */
const STATES = { message: isMessage, members: isMembers, marker: isMarker };

/** @type {Record<string, (frame: any) => boolean>} What each push that is passed on has at least. */
const PUSHES = {
  message: ({ d }) => isMessage(d),
  message_changed: ({ d }) => isMessage(d),
  state: ({ d }) => isText(d.kind) && (!Object.hasOwn(STATES, d.kind) || STATES[d.kind](d)),
  members: ({ d }) => isMembers(d),
  message_edited: (frame) => isDelta(frame) && isText(frame.d.content) && isTexts(frame.d.mentions),
  message_deleted: (frame) => isDelta(frame),
  reaction: (frame) => isDelta(frame) && isText(frame.d.emoji) && isText(frame.d.user) && typeof frame.d.on === 'boolean',
  pinned: (frame) => isDelta(frame) && typeof frame.d.on === 'boolean',
  marker: ({ d }) => isMarker(d),
  invitation: ({ d }) => isText(d.id) && isText(d.conversation),
  typing: ({ d }) => isObject(d),
  presence: ({ d }) => isTexts(d.online) && isTexts(d.offline),
  reset: ({ d }) => isTexts(d.conversations) && isToken(d.at_least),
  mark: ({ resume }) => isToken(resume),
};

/**
 * @param {any} frame
 * @returns {boolean}
 */
function isAnswer({ re, ok, err }) {
  if (ok === undefined) return isObject(err) && isText(err.code) && isSeconds(err.retry_after) && isPlace(err.changed);
  if (!isObject(ok)) return false;
  if (SHOWN.has(re)) return re !== 'presence' || (isTexts(ok.online) && isTexts(ok.offline));
  if ('delivered' in ok || 'read' in ok) return isPlace(ok.delivered) && isPlace(ok.read);
  return isText(ok.id) && isPosition(ok.position) && (ok.mentions === undefined || isTexts(ok.mentions));
}

/**
 * The frame, if it is one that this module can work with; throws an Error for any other.
 * @param {unknown} data
 * @param {number} hello the id of `hello`, whose answer `readWelcome` is for
 * @returns {any}
 */
export function readFrame(data, hello) {
  if (typeof data !== 'string') throw new TypeError('a frame is a text');
  const frame = JSON.parse(data);
  if (!isObject(frame)) throw new TypeError('a frame is an object');
  if (frame.re === hello && 're' in frame) return frame;
  const isFit = 're' in frame ? isAnswer(frame) : isText(frame.t) && isPush(frame);
  if (!isFit) throw new TypeError(`${'re' in frame ? 'an answer' : String(frame.t)} that lacks what it must have`);
  return frame;
}

/** @param {any} frame */
function isPush(frame) {
  if (frame.pos !== undefined && !isPosition(frame.pos)) return false;
  if (!Object.hasOwn(PUSHES, frame.t)) return true; // of a later version
  return (frame.t === 'mark' || isObject(frame.d)) && PUSHES[frame.t](frame);
}

/**
 * Whether this is what `hello` is answered with by a server that speaks klatsch.v1.
 * @param {any} ok
 */
export function isWelcome(ok) {
  return isObject(ok) && isText(ok.user) && Number.isFinite(ok.heartbeat) && !Number.isNaN(Date.parse(ok.now)) &&
    isObject(ok.limits) && ok.limits.unanswered > 0 && ok.limits.frame > 0;
}
