/** What is new in the conversation that is open: where the line "new" stands, and what counts as read. */

import { comparePositions } from '../client.js';

const BEGINNING = '0:0:0';

/** @typedef {{position: string, isIncluded: boolean}} Place from where on it is new: behind the position, or with it */

export class Reading {
  /** @type {Place | null} It stays where it was when one came, until one leaves. */
  place = null;
  /** One has said "unread from here", and still looks at it. */
  isHeld = false;

  /** @param {any} conversation @param {string} me */
  constructor(conversation, me) {
    this.id = conversation.id;
    this.me = me;
    const { unread, unread_from, markers } = conversation;
    if (unread === 0) return;
    this.place = unread_from ? { position: unread_from, isIncluded: true } : { position: markers?.read ?? BEGINNING, isIncluded: false };
  }

  /** A message of somebody else's has come while one did not look. @param {any} message */
  miss(message) {
    this.place ??= { position: message.position, isIncluded: true };
  }

  /** The first of these that is new. @param {any[]} messages in their order */
  firstNew(messages) {
    const { place } = this;
    if (!place) return null;
    return messages.find(({ position, sender, deleted }) => {
      const order = position ? comparePositions(position, place.position) : -1;
      return sender !== this.me && !deleted && (order > 0 || (place.isIncluded && order === 0));
    }) ?? null;
  }

  /**
   * The message before which the line "new" stands; null where that is before what is loaded.
   * @param {any[]} messages in their order
   * @param {boolean} isAtStart whether nothing is before them
   */
  lineBefore(messages, isAtStart) {
    const { place } = this;
    const oldest = messages[0]?.position;
    if (!place || !oldest || (!isAtStart && comparePositions(oldest, place.position) > 0)) return null;
    return this.firstNew(messages);
  }

  /** Unread from this message on, as long as one stays. @param {any} message */
  hold(message) {
    this.isHeld = true;
    this.place = { position: message.position, isIncluded: true };
  }

  clear() {
    this.place = null;
    this.isHeld = false;
  }

  /** Whether somebody who looks at the page sees it: it is in front, and has the focus. */
  get isLooking() {
    return !this.isHeld && document.visibilityState === 'visible' && document.hasFocus();
  }
}
