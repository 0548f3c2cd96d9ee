/** What the list says of each conversation: its last message, what is unread, its members; kept up to date by pushes. */

import { applyDelta, comparePositions } from '../client.js';
import { countOf } from './logic/conversations.js';

const LATER_MS = 1_500; // the archive counts what a mark leaves about a second after it

/** @param {string | null | undefined} one @param {string} other */
const isBefore = (one, other) => !one || comparePositions(one, other) < 0;

export class Tally {
  /** @type {Map<string, ReturnType<typeof setTimeout>>} */
  #later = new Map();
  #asked = 0;
  /** @type {Map<string, number>} The last question of each conversation that one has left whose answer counts for nothing. */
  #left = new Map();
  /** @type {Map<string, string>} The marker that last set or ended "unread from here" in each conversation, by its position. */
  #flagged = new Map();

  /** @param {any} store */
  constructor(store) {
    this.store = store;
  }

  get #conversations() {
    return this.store.conversations;
  }

  /**
   * Takes the conversations of an answer, but for those that one has left since it was asked for.
   * @param {Promise<{rows: any[], next: string | null}>} asking
   * @returns what was answered; null where the store has begun anew meanwhile, and asks again
   */
  async takeAll(asking) {
    const asked = (this.#asked += 1);
    const page = await asking;
    if (this.store.tally !== this) return null;
    for (const conversation of page.rows) if ((this.#left.get(conversation.id) ?? 0) < asked) this.take(conversation);
    return page;
  }

  /** Reads a conversation again; one that is not one's own is left. @param {string} id */
  async refresh(id) {
    const reading = this.takeAll(this.store.chat.archive.conversation(id).then((/** @type {any} */ row) => ({ rows: [row], next: null })));
    const asked = this.#asked;
    try {
      await reading;
    } catch (error) {
      if (/** @type {any} */ (error).code !== 'not_found') throw error;
      if (this.store.tally === this) this.leave(id, asked);
    }
  }

  /** One does not belong to it any more: what was asked until then counts for nothing. @param {string} id */
  leave(id, asked = this.#asked) {
    this.#left.set(id, Math.max(asked, this.#left.get(id) ?? 0));
    this.#conversations.remove(id);
  }

  /** Whether one has left it, as far as is known. @param {string} id */
  hasLeft(id) {
    return this.#left.has(id) && !this.#conversations.get(id);
  }

  /** Takes a conversation as the server answers it, unless a push has told more of its last message. @param {any} conversation */
  take(conversation) {
    const known = this.#conversations.get(conversation.id)?.last_message;
    const last = conversation.last_message;
    const isNewer = known && (!last || isBefore(last.changed ?? last.position, known.changed ?? known.position));
    const isLater = isNewer && isBefore(last?.position, known.position);
    const counted = isLater && known.sender !== this.store.me.username && isBefore(conversation.markers?.read, known.position);
    this.#conversations.put({
      ...conversation,
      ...(isNewer ? { last_message: known } : {}),
      ...(isLater ? { updated_at: known.sent_at } : {}),
      ...(counted && conversation.unread === 0 ? { unread: 1 } : {}),
    });
    if (last && last.sender !== this.store.me.username && isBefore(conversation.markers?.delivered, last.position)) {
      this.store.chat.mark(conversation.id, { delivered: last.position });
    }
  }

  /** @param {any} message @param {{isOld: boolean}} options */
  arrive(message, { isOld }) {
    const { me, chat } = this.store;
    const known = this.#conversations.get(message.conversation);
    const isOwn = message.sender === me.username;
    if (!isOwn) chat.mark(message.conversation, { delivered: message.position });
    if (!known) {
      this.#conversations.put(emptyWith(message));
      this.store.refresh(message.conversation).catch(() => {});
      return;
    }
    if (!isBefore(known.last_message?.position, message.position)) return;
    const counts = !isOwn && !isOld && isBefore(known.markers?.read, message.position);
    this.#conversations.change(message.conversation, {
      last_message: message,
      updated_at: message.sent_at > known.updated_at ? message.sent_at : known.updated_at,
      ...(counts && typeof known.unread === 'number' ? { unread: known.unread + 1 } : {}),
      ...(counts && message.mentions?.includes(me.username) ? { mentions: countOf(known.mentions) + 1 } : {}),
    });
  }

  /** @param {{t: string, pos: string, d: any}} event an edit, a deletion, a reaction or a pin */
  change(event) {
    const { t, d } = event;
    const known = this.#conversations.get(d.conversation);
    if (!known) return;
    const last = known.last_message;
    if (last?.id === d.id && isBefore(last.changed ?? last.position, event.pos)) {
      this.#conversations.change(known.id, { last_message: applyDelta(last, event) });
    }
    const pinned = known.pinned ?? [];
    const others = pinned.filter((/** @type {string} */ id) => id !== d.id);
    if (t === 'pinned' && !(d.on && pinned.includes(d.id))) {
      this.#conversations.change(known.id, { pinned: d.on ? [d.id, ...others] : others });
    }
    if (t === 'message_deleted') {
      this.#conversations.change(known.id, { pinned: others });
      if (countOf(known.unread) > 0) this.refreshLater(known.id);
    }
  }

  /** @param {any} d a push `members`; answers false where the conversation has to be read from the server */
  meet({ conversation, title, description, member_count, version, members }) {
    const known = this.#conversations.get(conversation);
    if (!known) return false;
    if (version !== undefined && version < known.version) return true;
    const present = new Map(known.members.map((/** @type {any} */ member) => [member.user, member])); // a new value keeps its place
    for (const { user, user_id, role, active } of members) {
      if (active) present.set(user, { user, user_id, role });
      else present.delete(user);
    }
    this.#conversations.change(conversation, {
      title: title ?? known.title, description: description ?? known.description, version: version ?? known.version,
      member_count: member_count ?? known.member_count, members: [...present.values()].slice(0, 20),
    });
    return true;
  }

  /**
   * Takes a marker. One that is told again, after what came later, says nothing about "unread from here".
   * @param {any} marker
   * @param {string | undefined} at its position; the answer to one's own mark has none
   */
  mark({ conversation, user, read, unread_from }, at) {
    if (user !== this.store.me.username) return;
    const isLater = !at || isBefore(this.#flagged.get(conversation), at);
    const isRead = read && isBefore(this.#conversations.get(conversation)?.markers?.read, read);
    if (at && isLater && (isRead || unread_from !== undefined)) this.#flagged.set(conversation, at);
    if (read) this.read(conversation, read, { endsFlag: Boolean(isLater && isRead) });
    if (isLater && unread_from !== undefined) {
      this.#conversations.change(conversation, { unread_from });
      this.refreshLater(conversation);
    }
    this.store.tell('list');
  }

  /** One has read up to there, which ends "unread from here" unless that was said later. @param {string} id @param {string} position */
  read(id, position, { endsFlag = true } = {}) {
    const known = this.#conversations.get(id);
    if (!known) return;
    const isHigher = isBefore(known.markers?.read, position);
    const markers = isHigher ? { ...known.markers, read: position } : known.markers;
    const flag = endsFlag ? null : known.unread_from;
    const isAll = !flag && !isBefore(markers?.read, known.last_message?.position ?? '0:0:0');
    this.#conversations.change(id, { markers, unread_from: flag, ...(isAll ? { unread: 0, mentions: 0 } : {}) });
    if (!isAll && isHigher) this.refreshLater(id);
  }

  /** @param {string} id */
  refreshLater(id) {
    clearTimeout(this.#later.get(id));
    const refresh = () => {
      this.#later.delete(id);
      this.store.refresh(id).catch(() => {}); // the next push or page tells it
    };
    this.#later.set(id, setTimeout(refresh, LATER_MS));
  }
}

/** A conversation of which only a message is known. @param {any} message */
function emptyWith(message) {
  const members = [message.sender, message.receiver].filter(Boolean).map((user) => ({ user, user_id: '', role: 'member' }));
  return {
    id: message.conversation, kind: message.receiver ? 'direct' : 'group', title: '', description: '', version: 0, updated_at: message.sent_at,
    member_count: members.length, members, last_message: message, muted_until: null, pinned: [], unread: 0, mentions: 0, markers: {}, unread_from: null,
  };
}
