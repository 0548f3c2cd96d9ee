/** Settings: the people whom one has blocked. */

import { del, get } from '../api.js';
import { el } from '../element.js';
import { textOf } from '../form.js';
import { toast } from '../notes.js';
import { pagesOf, takeOut } from '../pages.js';
import { timeTag } from '../parts/time.js';
import { t } from '../strings.js';

/** @param {any} one */
function rowOf(one) {
  const row = el('li', { class: 'row' },
    el('div', { class: 'grow' }, el('p', {}, one.user), el('p', { class: 'sub' }, t('blocked.since'), ' ', timeTag(one.blocked_at))),
    el('button', { class: 'button', type: 'button', 'aria-label': t('blocked.unblock_label', { user: one.user }), onclick: () => unblock(one.user, row) }, t('blocked.unblock')));
  return row;
}

/** @param {string} user @param {HTMLElement} row */
async function unblock(user, row) {
  try {
    await del(`blocks/${encodeURIComponent(user)}`);
    takeOut(row);
    toast(t('blocked.unblocked', { user }));
  } catch (error) {
    toast(textOf(error));
  }
}

export function section() {
  return el('div', { class: 'stack' }, el('p', {}, t('blocked.text')), pagesOf((after) => get(`blocks${after}`), rowOf, t('blocked.none')));
}
