/** The column of all views for people who are not signed in. */

import { el } from '../element.js';
import { t } from '../strings.js';

/**
 * @param {{heading: string, body: (Node | string | null)[], foot?: (Node | string)[]}} content
 */
export function gate({ heading, body, foot }) {
  return el('div', { class: 'gate' },
    el('p', { class: 'gate-name' }, t('app.name')),
    el('section', { class: 'card gate-card' }, el('h1', { tabindex: -1 }, heading), ...body),
    foot ? el('p', { class: 'gate-foot' }, ...foot) : null);
}

/**
 * What has happened, in the place of a form: the focus goes to its heading.
 * @param {HTMLElement} view
 * @param {{heading: string, text: string, link: string, href: string}} content
 */
export function showDone(view, { heading, text, link, href }) {
  view.replaceChildren(gate({ heading, body: [el('p', { role: 'status' }, text), el('a', { class: 'button primary', href }, link)] }));
  view.querySelector('h1')?.focus();
}
