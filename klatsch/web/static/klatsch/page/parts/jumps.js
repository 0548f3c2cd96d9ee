/** The ways to what is not on the screen: the end, the first unread message, a message elsewhere, and back. */

import { el, fill } from '../element.js';
import { toast } from '../notes.js';
import { session } from '../session.js';
import { t } from '../strings.js';

const BEHIND_MOST = 99;

export class Jumps {
  /** Messages that have come below the screen. */
  behind = 0;
  /** @type {string[]} From where one has jumped to a quoted or a pinned message. */
  #from = [];
  #hasSeenNew = false;

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
    if (history && !history.atEnd) {
      await history.loadNewest().catch(() => toast(t('error.unreachable')));
      if (view.history !== history) return; // one has left
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
    if (view.log.newLine === null) await history.loadAround(place.position).catch(() => toast(t('error.unreachable')));
    if (view.history !== history) return;
    view.render();
    view.log.revealNew();
  }

  /** Shows a message of the conversation, wherever it is. @param {string} id @param {{from?: string | null}} [options] where one was */
  async to(id, { from = null } = {}) {
    const { view } = this;
    const { history } = view;
    if (from) this.#from.push(from);
    try {
      if (!history.isLoaded || !view.log.reveal(id)) {
        const message = await session.chat.archive.message(id);
        if (!history.isLoaded || !history.has(message.position)) await history.loadAround(message.position);
        if (view.history !== history) return;
        view.render();
        view.log.reveal(id);
      }
    } catch {
      if (view.history !== history) return;
      toast(t('log.no_message'));
      if (!history.isLoaded) await this.toEnd();
    }
    view.render();
  }

  #goBack() {
    const id = this.#from.pop();
    if (id) this.to(id);
  }
}
