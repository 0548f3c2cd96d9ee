/** Short notes at the edge of the page, read out politely, which go by themselves. */

import { Part, el, fill } from './element.js';

const SHOWN_MS = 6_000;

class Notes extends Part {
  start() {
    this.said = el('div', { class: 'notes', role: 'status', 'aria-live': 'polite' });
    this.quiet = el('div', { class: 'visually-hidden', 'aria-live': 'polite' });
    fill(this, this.said, this.quiet);
    this.listen(window, 'klatsch:toast', ({ detail }) => this.#show(detail));
    this.listen(window, 'klatsch:say', ({ detail }) => fill(this.quiet, detail));
  }

  /** @param {string} text */
  #show(text) {
    const note = el('p', { class: 'note' }, text);
    this.said.append(note);
    setTimeout(() => note.remove(), SHOWN_MS);
  }
}

customElements.define('k-notes', Notes);

/** Shows a note and has it read out. @param {string} text */
export const toast = (text) => dispatchEvent(new CustomEvent('klatsch:toast', { detail: text }));

/** Has a text read out, and shows nothing. @param {string} text */
export const say = (text) => dispatchEvent(new CustomEvent('klatsch:say', { detail: text }));
