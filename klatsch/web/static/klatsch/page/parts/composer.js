/**
 * Where one writes: a message, an answer to one, or another text for one's own. It knows one conversation at a time, and keeps a draft
 * for each. Fires `send` ({content, replyTo}), `edit` ({message, content}), `typing` (true or false) and `editlast`.
 */

import { el, fill, iconButton, Part } from '../element.js';
import { icon } from '../icons.js';
import { isComposing } from '../keys.js';
import { plainLine } from '../logic/markdown.js';
import { sendable } from '../logic/sendable.js';
import { session } from '../session.js';
import { t } from '../strings.js';
import { Completion } from './complete.js';
import { pickEmoji } from './picker.js';

const TEXT_MOST = 4_000; // characters, as the server counts them
const WARN_FROM = 3_500;
const isTouch = () => matchMedia('(pointer: coarse)').matches;

class Composer extends Part {
  /** @type {{key: string, name: string} | null} */
  #place = null;
  /** @type {any} The message that is answered. */
  #reply = null;
  /** @type {any} The message that is edited, as it was seen. */
  #edited = null;
  /** The draft as this tab has last read or written it. */
  #kept = '';
  /** @type {() => {members: string[], recent: string[], me: string}} */
  people = () => ({ members: [], recent: [], me: '' });

  constructor() {
    super();
    this.field = el('textarea', { rows: 1, class: 'composer-field', dir: 'auto', enterkeyhint: 'enter', autocomplete: 'off', placeholder: t('composer.placeholder') });
    this.completion = new Completion(this.field, () => this.people());
    this.context = el('div', { class: 'composer-context', hidden: true });
    this.count = el('span', { class: 'composer-count', 'aria-live': 'polite' });
    this.sender = iconButton('send', t('composer.send'), { type: 'submit', class: 'primary' });
    this.picker = iconButton('smile', t('composer.emoji'), { onclick: () => this.#pick() });
  }

  start() {
    if (!this.hasChildNodes()) {
      fill(this, this.completion.list, this.context,
        el('form', { class: 'composer-form', onsubmit: (/** @type {Event} */ event) => this.#submit(event) }, this.picker, this.field, this.count, this.sender));
    }
    this.listen(this.field, 'input', () => this.#changed());
    this.listen(this.field, 'keydown', (event) => this.#key(event));
    this.listen(this.field, 'blur', () => this.completion.close());
    this.listen(this.field, 'click', () => this.completion.update());
    this.listen(window, 'resize', () => !this.hidden && this.#measure());
    this.listen(window, 'storage', ({ key }) => this.#follow(key));
  }

  end() {
    this.#keep();
  }

  /**
   * Goes to another conversation: what is written stays with the one that is left.
   * @param {{key: string, name: string}} place
   */
  enter(place) {
    this.field.setAttribute('aria-label', t('composer.label', { name: place.name }));
    if (this.#place?.key === place.key) return;
    this.#keep();
    this.#place = place;
    this.#edited = this.#reply = null;
    this.#showDraft();
  }

  /** Shows what is kept for this conversation. */
  #showDraft() {
    const { text, replyTo } = this.#place ? session.store.drafts.get(this.#place.key) : { text: '' };
    this.#reply = replyTo ? (session.store.view.message(replyTo) ?? { id: replyTo }) : null;
    this.#setText(text); // where it is the same, the caret stays
    this.#kept = JSON.stringify(this.#draft);
    this.#showContext();
  }

  /** Another tab has written the draft. @param {string | null} key of the browser's storage */
  #follow(key) {
    if (this.#place && !this.#edited && key && key === session.store?.drafts.keyOf(this.#place.key)) this.#showDraft();
  }

  /** @returns {import('../logic/kept.js').Draft} */
  get #draft() {
    return { text: this.field.value, replyTo: this.#reply?.id };
  }

  /** Belongs to no conversation any more. @returns {import('../logic/kept.js').Draft} what was written */
  leave() {
    this.#place = null;
    return this.#draft;
  }

  /** Keeps the draft, unless the text belongs to an edit. What was not changed here may be what another tab has changed. */
  #keep() {
    const draft = JSON.stringify(this.#draft);
    if (!this.#place || this.#edited || draft === this.#kept) return;
    this.#kept = draft;
    session.store?.drafts.set(this.#place.key, this.#draft);
    dispatchEvent(new CustomEvent('klatsch:draft'));
  }

  /** @param {any} message */
  reply(message) {
    if (this.#edited) this.#leaveEdit();
    this.#reply = message;
    this.#keep();
    this.#showContext();
    this.field.focus();
  }

  /**
   * @param {any} message
   * @param {{text?: string, other?: string | null}} [refused] the text that was refused, and the version that came before it
   */
  edit(message, { text, other = null } = {}) {
    this.#keep();
    this.#edited = { ...message, other };
    this.#setText(text ?? message.content);
    this.#showContext();
    this.field.focus();
    this.field.setSelectionRange(this.field.value.length, this.field.value.length);
  }

  get editedId() {
    return this.#edited?.id ?? null;
  }

  /** Leaves an answer or an edit. @returns {boolean} whether there was one */
  cancel() {
    if (this.#edited) this.#leaveEdit();
    else if (this.#reply) {
      this.#reply = null;
      this.#keep();
      this.#showContext();
    } else return false;
    this.field.focus();
    return true;
  }

  #leaveEdit() {
    this.#edited = null;
    this.#showDraft();
  }

  #showContext() {
    const about = this.#edited ?? this.#reply;
    this.context.hidden = !about;
    if (!about) return;
    const text = this.#edited?.other !== undefined && this.#edited?.other !== null ? this.#edited.other : (about.content ?? '');
    const title = this.#edited ? t(this.#edited.other ? 'composer.edited_meanwhile' : 'composer.editing') : t(about.sender === session.me?.username ? 'composer.replying_self' : 'composer.replying', { name: about.sender ?? '' });
    fill(this.context, icon(this.#edited ? 'edit' : 'reply'),
      el('div', { class: 'grow' }, el('div', { class: 'context-title' }, title), el('div', { class: 'context-text', dir: 'auto' }, plainLine(text))),
      iconButton('close', t(this.#edited ? 'composer.cancel_edit' : 'composer.cancel_reply'), { onclick: () => this.cancel() }));
  }

  /** @param {string} text */
  #setText(text) {
    this.field.value = text;
    this.completion.close();
    this.#measure();
  }

  #changed() {
    this.#measure();
    this.#keep();
    this.completion.update();
    if (!this.#edited) this.dispatchEvent(new CustomEvent('typing', { detail: this.field.value.trim() !== '' }));
  }

  /** As high as its text, up to what the style allows; the characters that are left, where few are. */
  #measure() {
    const { field } = this;
    field.style.blockSize = 'auto';
    field.style.blockSize = `${field.scrollHeight + 2}px`;
    const used = [...field.value].length;
    fill(this.count, used > WARN_FROM && t('composer.left', { count: TEXT_MOST - used }));
    this.count.classList.toggle('over', used > TEXT_MOST);
    this.sender.disabled = field.value.trim() === '' || used > TEXT_MOST;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (isComposing(event) || this.completion.take(event)) return;
    const { key } = event;
    if (key === 'Enter' && !event.shiftKey && (!isTouch() || event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      this.#submit(event);
    } else if (key === 'ArrowUp' && this.field.value === '' && !this.#reply && !event.altKey) {
      event.preventDefault();
      this.dispatchEvent(new CustomEvent('editlast'));
    } else if (key === 'Escape' && this.cancel()) event.stopPropagation();
  }

  /** @param {Event} event */
  #submit(event) {
    event.preventDefault();
    const content = sendable(this.field.value);
    if (content === '' || [...content].length > TEXT_MOST) return;
    if (this.#edited) {
      const message = this.#edited;
      this.#leaveEdit();
      if (content !== message.content) this.dispatchEvent(new CustomEvent('edit', { detail: { message, content } }));
    } else {
      const replyTo = this.#reply?.id ?? null;
      this.#reply = null;
      this.#setText('');
      this.#showContext();
      this.#keep();
      this.dispatchEvent(new CustomEvent('send', { detail: { content, replyTo } }));
    }
    this.field.focus();
  }

  #pick() {
    pickEmoji(this.picker, (emoji) => {
      this.field.focus();
      this.field.setRangeText(emoji, this.field.selectionStart, this.field.selectionEnd, 'end');
      this.field.dispatchEvent(new Event('input', { bubbles: true }));
    });
  }
}

customElements.define('k-composer', Composer);
