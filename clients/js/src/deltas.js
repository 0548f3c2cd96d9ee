/** Changes of one message, each of which says only what changes. No I/O. */

const NAMES_MOST = 50; // of one kind of reaction, in a message
const MENTION = /(?<![\w@])@(\w[\w.-]*)/g;

/** @typedef {'edit' | 'delete' | 'react' | 'pin'} ChangeOp */
/**
 * A change of one's own: `position` is the message's, `base` the `changed` that the editor saw.
 * @typedef {{op: ChangeOp, message: string, position: string, conversation?: string, client_id?: string, content?: string,
 *   base?: string, emoji?: string, on?: boolean}} Change
 */
/** @typedef {{t: string, pos: string, d: any}} Delta */

/** The `t` of their pushes. */
export const DELTAS = new Set(['message_edited', 'message_deleted', 'reaction', 'pinned']);

/**
 * The message with that change, which counts where its `pos` is above the message's `changed`; the message itself stays as it is.
 * @param {any} message
 * @param {Delta} delta
 * @returns {any}
 */
export function applyDelta(message, { t, pos, d }) {
  const changed = { ...message, changed: pos };
  if (t === 'message_deleted') {
    return { ...changed, content: '', mentions: [], reactions: {}, reaction_counts: {}, pinned_at: null, deleted: true };
  }
  if (message.deleted) return changed;
  if (t === 'message_edited') return { ...changed, content: d.content, mentions: d.mentions, edited_at: d.edited_at };
  if (t === 'pinned') return { ...changed, pinned_at: d.on ? message.pinned_at ?? d.at : null }; // the first pin counts
  return react(changed, d);
}

/**
 * Of those beyond the listed ones the names are not known: they are counted.
 * @param {any} message a copy, whose fields may be put
 * @param {{emoji: string, on: boolean, user: string}} reaction
 */
function react(message, { emoji, on, user }) {
  let names = message.reactions?.[emoji] ?? [];
  let count = message.reaction_counts?.[emoji] ?? names.length;
  if (on && !names.includes(user)) {
    if (names.length < NAMES_MOST) names = [...names, user];
    count += 1;
  } else if (!on && (names.includes(user) || count > names.length)) {
    names = names.filter((/** @type {string} */ name) => name !== user);
    count -= 1;
  }
  message.reactions = { ...message.reactions, [emoji]: names };
  message.reaction_counts = { ...message.reaction_counts, [emoji]: count };
  if (count <= 0) {
    delete message.reactions[emoji];
    delete message.reaction_counts[emoji];
  }
  return message;
}

/**
 * One's own change as it would be pushed: the connection that makes it gets an answer instead. Without `mentions` they are guessed.
 * @param {Change} change
 * @param {string} pos
 * @param {{user: string | null, now: string, mentions?: string[]}} by
 * @returns {Delta}
 */
export function deltaOf({ op, message, conversation, content = '', emoji, on }, pos, { user, now, mentions = guessMentions(content) }) {
  const place = { id: message, conversation };
  switch (op) {
    case 'edit':
      return { t: 'message_edited', pos, d: { ...place, content, mentions, edited_at: now, by: user } };
    case 'delete':
      return { t: 'message_deleted', pos, d: { ...place, by: user, deleted_at: now } };
    case 'react':
      return { t: 'reaction', pos, d: { ...place, emoji, on, user } };
    default:
      return { t: 'pinned', pos, d: { ...place, on, by: user, at: now } };
  }
}

/**
 * The usernames that a text seems to mention: only the server knows who of them is a member.
 * @param {string} content
 */
export function guessMentions(content) {
  return [...new Set([...content.matchAll(MENTION)].map(([, name]) => name.replace(/[.-]+$/, '')))];
}
