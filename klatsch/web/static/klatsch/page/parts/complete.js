/** The list that opens at a text field while `@` or `:` is completed: a list box, walked by the arrow keys. */

import { el, fill } from '../element.js';
import { isComposing } from '../keys.js';
import { completionsOf, queryAt } from '../logic/complete.js';
import { t } from '../strings.js';
import { avatar } from './avatar.js';

export class Completion {
  /** @type {{label: string, insert: string, sign: string}[]} */
  #options = [];
  /** @type {import('../logic/complete.js').Query | null} */
  #query = null;
  #at = 0;

  /**
   * @param {HTMLTextAreaElement} field
   * @param {() => {members: string[], recent: string[], me: string}} people
   */
  constructor(field, people) {
    this.field = field;
    this.people = people;
    this.list = el('ul', { class: 'completions', id: 'completions', role: 'listbox', 'aria-label': t('complete.label'), hidden: true });
    // A field of several lines may not be a combobox (https://www.w3.org/TR/html-aria/): the active option tells that it is open.
    const attributes = { 'aria-autocomplete': 'list', 'aria-haspopup': 'listbox', 'aria-controls': 'completions' };
    for (const [name, value] of Object.entries(attributes)) field.setAttribute(name, value);
  }

  get isOpen() {
    return !this.list.hidden;
  }

  /** The text or the caret is another one. */
  update() {
    const { value, selectionStart, selectionEnd } = this.field;
    this.#query = selectionStart === selectionEnd ? queryAt(value, selectionStart) : null;
    this.#options = this.#query ? completionsOf(this.#query, this.people()) : [];
    this.#at = 0;
    this.#show();
  }

  close() {
    this.#options = [];
    this.#show();
  }

  /** Whether it has used the key. @param {KeyboardEvent} event */
  take(event) {
    if (!this.isOpen || isComposing(event)) return false;
    const { key } = event;
    if (key === 'ArrowDown' || key === 'ArrowUp') {
      const count = this.#options.length;
      this.#at = (this.#at + (key === 'ArrowDown' ? 1 : count - 1)) % count;
      this.#show();
    } else if ((key === 'Enter' && !event.shiftKey) || key === 'Tab') this.#choose(this.#at);
    else if (key === 'Escape') this.close();
    else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  }

  #show() {
    this.list.hidden = this.#options.length === 0;
    fill(this.list, this.#options.map(({ label, sign }, i) => el('li', {
      id: `completion-${i}`, role: 'option', 'aria-selected': String(i === this.#at), class: 'completion',
      onpointerdown: (/** @type {Event} */ event) => {
        event.preventDefault(); // the field keeps the focus
        this.#choose(i);
      },
    }, sign ? el('span', { class: 'completion-sign' }, sign) : avatar(label, { isSmall: true }), el('span', { dir: 'auto' }, label))));
    if (this.isOpen) this.field.setAttribute('aria-activedescendant', `completion-${this.#at}`);
    else this.field.removeAttribute('aria-activedescendant');
    this.list.children[this.#at]?.scrollIntoView({ block: 'nearest' });
  }

  /** @param {number} at */
  #choose(at) {
    const query = /** @type {import('../logic/complete.js').Query} */ (this.#query);
    this.field.setRangeText(this.#options[at].insert, query.from, this.field.selectionStart, 'end');
    this.close();
    this.field.dispatchEvent(new Event('input', { bubbles: true }));
  }
}
