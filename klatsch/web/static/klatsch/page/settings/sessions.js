/** Settings: the browsers in which one is signed in. */

import { del, get } from '../api.js';
import { openDialog } from '../dialog.js';
import { el } from '../element.js';
import { pagesOf, takeOut } from '../pages.js';
import { textOf } from '../form.js';
import { toast } from '../notes.js';
import { signOut } from '../session.js';
import { t } from '../strings.js';
import { timeTag } from '../parts/time.js';

/** @param {any} one @param {HTMLElement} row */
function revoke(one, row) {
  openDialog({
    title: t('sessions.revoke_title'),
    body: [el('p', {}, t('sessions.revoke_text', { device: one.device || t('sessions.unknown') }))],
    actions: [{
      label: t('sessions.revoke'), kind: 'danger', run: async () => {
        await del(`auth/sessions/${encodeURIComponent(one.id)}`);
        takeOut(row);
        toast(t('sessions.revoked'));
      },
    }],
  });
}

const leave = () => signOut().catch((error) => toast(textOf(error)));

/** @param {any} one */
function rowOf(one) {
  const row = el('li', { class: 'row' },
    el('div', { class: 'grow' },
      el('p', { dir: 'auto' }, one.device || t('sessions.unknown'), ' ', one.current && el('span', { class: 'badge' }, t('sessions.current'))),
      el('p', { class: 'sub' }, t('sessions.used'), ' ', timeTag(one.last_used_at), ' · ', t('sessions.since'), ' ', timeTag(one.created_at))),
    one.current
      ? el('button', { class: 'button', type: 'button', onclick: leave }, t('sessions.sign_out'))
      : el('button', { class: 'button danger', type: 'button', 'aria-label': t('sessions.revoke_label', { device: one.device || t('sessions.unknown') }), onclick: () => revoke(one, row) }, t('sessions.revoke')));
  return row;
}

export function section() {
  return el('div', { class: 'stack' }, el('p', {}, t('sessions.text')),
    pagesOf((after) => get(`auth/sessions${after}`), rowOf, t('sessions.none')));
}
