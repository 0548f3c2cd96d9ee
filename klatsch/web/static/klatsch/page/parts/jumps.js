/** The ways to what is not on the screen: the end, the first unread message, a message elsewhere, and back. */

import { comparePositions } from '../../client.js';
import { isOfRequest } from '../api.js';
import { el, fill } from '../element.js';
import { toast } from '../notes.js';
import { session } from '../session.js';
import { t } from '../strings.js';

const BEHIND_MOST = 99;
const NEAR_UNREAD = 40; // so many unread messages are on the newest page

/** Tells whether another try would be refused too; without a network there is no refusal. @param {any} error */
export const isFinal = (error) => error.temporary === false || error.isTemporary === false;

export class Jumps {
  /** Messages that have come below the screen. */
  behind = 0;
  /** @type {string[]} From where one has jumped to a quoted or a pinned message. */
  #from = [];
  #hasSeenNew = false;
  /** Jumps that were asked for: only the last one leads somewhere. */
  #asked = 0;

  /** @param {any} view the conversation */
  constructor(view) {
    this.view = view;
    this.end = el('button', { type: 'button', class: 'jump', hidden: true, onclick: () => this.toEnd() });
    this.first = el('button', { type: 'button', class: 'jump up', hidden: true, onclick: () => this.toFirstNew() }, t('log.to_new'));
    this.back = el('button', { type: 'button', class: 'jump back', hidden: true, onclick: () => this.#goBack() }, t('log.back'));
    this.buttons = [this.first, this.back, this.end];
  }

  /** Another conversation is shown. */
  forget() {
    this.behind = 0;
    this.#from = [];
    this.#hasSeenNew = false;
  }

  /** @param {any} first the first new message that is loaded, or null */
  show(first) {
    const { log, history, reading } = this.view;
    const isAtEnd = log.isFollowing;
    if (isAtEnd) this.behind = 0;
    this.end.hidden = isAtEnd || !history?.isLoaded;
    fill(this.end, this.behind > 0 ? t('log.behind', { count: Math.min(this.behind, BEHIND_MOST) }) : t('log.to_end'));
    const line = log.newLine;
    if (line === 0) this.#hasSeenNew = true;
    const isAbove = reading?.place && (line === -1 || (line === null && first !== null));
    this.first.hidden = !isAbove || this.#hasSeenNew;
    this.back.hidden = this.#from.length === 0;
  }

  async toEnd() {
    const { view } = this;
    const { history } = view;
    this.#ask();
    if (history && (!history.isLoaded || !history.atEnd)) {
      if (!(await this.#stays(() => history.loadNewest()))) return;
      this.#hasSeenNew = false; // what was between is passed over
    }
    this.behind = 0;
    this.#from = [];
    view.render();
    view.log.toEnd();
  }

  async toFirstNew() {
    const { view } = this;
    const { history } = view;
    const place = view.reading?.place;
    if (!place) return;
    if (view.log.newLine === null && !(await this.#stays(() => history.loadAround(place.position)))) return;
    view.render();
    view.log.revealNew();
  }

  /** Shows a message of the conversation, wherever it is. @param {string} id @param {{from?: string | null}} [options] where one was */
  async to(id, { from = null } = {}) {
    const { view } = this;
    if (from) this.#from.push(from);
    if (!(await this.#stays((isWanted) => this.load(id, isWanted)))) return;
    view.render();
    view.log.reveal(id);
  }

  /** Notes a jump. @returns {() => boolean} whether one is still in the conversation, and has not jumped elsewhere */
  #ask() {
    const { view } = this;
    const { history } = view;
    const asked = (this.#asked += 1);
    return () => view.history === history && asked === this.#asked;
  }

  /**
   * Loads something, and tells where it cannot be had. Resolves to false where one has left the conversation or jumped elsewhere meanwhile.
   * @param {(isWanted: () => boolean) => Promise<void>} load
   */
  async #stays(load) {
    const isWanted = this.#ask();
    try {
      await load(isWanted);
    } catch (error) {
      if (!isOfRequest(error)) throw error;
      if (isWanted()) toast(t('error.unreachable'));
    }
    return isWanted();
  }

  /**
   * Loads what one sees first: the message of the address, the first unread ones, or the end.
   * @param {any} conversation
   * @param {string} [id]
   */
  async loadFirst(conversation, id) {
    const { history, reading } = this.view;
    if (id) return this.load(id);
    const place = Number.parseInt(conversation.unread, 10) > NEAR_UNREAD ? reading.place : null;
    if (place && !(history.isLoaded && history.has(place.position))) await history.loadAround(place.position);
    else if (!history.isLoaded || !history.atEnd) await history.loadNewest();
  }

  /** Goes to what one sees first. @param {string} [id] */
  toFirst(id) {
    const { log } = this.view;
    if (!(id && log.reveal(id)) && !log.revealNew()) log.toEnd();
  }

  /**
   * Loads what is around a message, or the end where there is no such message. Rejects where that cannot be had now.
   * @param {string} id
   */
  async load(id, isWanted = this.#ask()) {
    const { history } = this.view;
    const { messages } = history;
    if (messages.some((/** @type {any} */ message) => message.id === id)) return;
    try {
      const { position } = await session.chat.archive.message(id);
      const isBeyond = messages.length > 0 && comparePositions(position, messages.at(-1).position) > 0; // what is between may not have come
      if (isWanted() && (!history.isLoaded || !history.has(position) || isBeyond)) await history.loadAround(position);
    } catch (error) {
      if (!isFinal(error)) throw error;
      if (!isWanted()) return;
      toast(t('log.no_message'));
      if (!history.isLoaded) await history.loadNewest();
    }
  }

  #goBack() {
    const id = this.#from.pop();
    if (id) this.to(id);
  }
}
