/** Settings: the tokens with which programs act in one's name. */

import { del, get, post } from '../api.js';
import { openDialog } from '../dialog.js';
import { el } from '../element.js';
import { textOf } from '../form.js';
import { toast } from '../notes.js';
import { pagesOf, takeOut } from '../pages.js';
import { dayTag, timeTag } from '../parts/time.js';
import { t } from '../strings.js';

/** Shows a new token, the only time that it can be seen. @param {string} token */
function show(token) {
  const field = el('input', { id: 'new-token', class: 'mono', readonly: true, value: token, onfocus: () => field.select() });
  openDialog({
    title: t('tokens.made'),
    body: [el('div', { class: 'field' }, el('label', { for: 'new-token' }, t('tokens.token')), el('p', { class: 'hint' }, t('tokens.once')), field)],
    actions: [{ label: t('tokens.copy'), kind: 'primary', run: () => navigator.clipboard.writeText(token) }],
  });
}

/** @param {any} one */
function rowOf(one) {
  const row = el('li', { class: 'row' },
    el('div', { class: 'grow' },
      el('p', {}, el('code', {}, `${one.id}…`)),
      el('p', { class: 'sub' }, t('tokens.made_at'), ' ', timeTag(one.created_at), ' · ',
        one.expires_at ? [t('tokens.ends'), ' ', dayTag(one.expires_at)] : t('tokens.endless'))),
    el('button', { class: 'button danger', type: 'button', 'aria-label': t('tokens.revoke_label', { token: one.id }), onclick: () => revoke(one.id, row) }, t('sessions.revoke')));
  return row;
}

/** @param {string} id @param {HTMLElement} row */
function revoke(id, row) {
  openDialog({
    title: t('tokens.revoke_title'),
    body: [el('p', {}, t('tokens.revoke_text'))],
    actions: [{
      label: t('sessions.revoke'), kind: 'danger', run: async () => {
        await del(`auth/tokens/${encodeURIComponent(id)}`);
        takeOut(row);
        toast(t('tokens.revoked'));
      },
    }],
  });
}

export function section() {
  const list = el('div', {});
  const load = () => list.replaceChildren(pagesOf((after) => get(`auth/tokens${after}`), rowOf, t('tokens.none')));
  const make = async () => {
    try {
      const { token } = await post('auth/tokens');
      show(token);
      load();
    } catch (error) {
      toast(textOf(error));
    }
  };
  load();
  return el('div', { class: 'stack' }, el('p', {}, t('tokens.text'), ' ', el('a', { href: '/api/docs' }, t('tokens.docs'))), list,
    el('div', {}, el('button', { class: 'button', type: 'button', onclick: make }, t('tokens.make'))));
}
