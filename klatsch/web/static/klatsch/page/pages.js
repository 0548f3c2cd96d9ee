/** Lists that the server gives in pages: the first at once, the others by a button. */

import { el, fill } from './element.js';
import { fillLoaded } from './loading.js';
import { t } from './strings.js';

/**
 * A list of rows.
 * @param {(query: string) => Promise<{results: any[], next: string | null}>} load gets the query of a page, empty for the first
 * @param {(one: any) => HTMLElement} rowOf
 * @param {string} none what is said of an empty list
 */
export function pagesOf(load, rowOf, none) {
  const rows = el('ul', { class: 'rows' });
  const rest = el('div', { class: 'list-rest' });
  const element = el('div', {}, rows, rest);

  /** @param {string} query */
  const add = (query) => fillLoaded(rest, () => load(query), ({ results, next }) => {
    rows.append(...results.map(rowOf));
    if (rows.children.length === 0) return [el('p', { class: 'sub' }, none)];
    if (!next) return [];
    return [el('button', { class: 'button', type: 'button', onclick: () => more(next) }, t('loading.more'))];
  });

  /** @param {string} next */
  async function more(next) {
    const count = rows.children.length;
    await add(new URL(next, document.baseURI).search);
    const first = /** @type {HTMLElement | undefined} */ (rows.children[count]);
    first?.setAttribute('tabindex', '-1'); // the button that had the focus has gone
    first?.focus();
  }

  fill(rest);
  add('');
  return element;
}

/**
 * Takes a row out of such a list. The focus, which its button had, goes to the next row, or to the heading.
 * @param {HTMLElement} row
 */
export function takeOut(row) {
  const next = (row.nextElementSibling ?? row.previousElementSibling)?.querySelector('button');
  const heading = /** @type {HTMLElement | null | undefined} */ (row.closest('section')?.querySelector('h2'));
  row.remove();
  setTimeout(() => (next ?? heading)?.focus()); // when the dialog that asked has closed
}
