/** Settings: leaving, for now or for good. */

import { post } from '../api.js';
import { openDialog } from '../dialog.js';
import { el } from '../element.js';
import { makeForm, textOf } from '../form.js';
import { toast } from '../notes.js';
import { session, signOut } from '../session.js';
import { t } from '../strings.js';

function deactivate() {
  const { element } = makeForm({
    fields: [{ name: 'password', label: t('password.old'), type: 'password', autocomplete: 'current-password' }],
    submit: t('account.deactivate'),
    kind: 'danger',
    run: async (values) => {
      await post('me/deactivate', values);
      dialog.close();
      session.store?.forget();
      dispatchEvent(new CustomEvent('klatsch:signed-out'));
      toast(t('account.deactivated'));
    },
  });
  const dialog = openDialog({ title: t('account.deactivate'), body: [el('p', {}, t('account.deactivate_text'))] });
  dialog.append(el('div', { class: 'dialog-form' }, element));
  element.querySelector('input')?.focus();
}

const leave = () => signOut().catch((error) => toast(textOf(error)));

export function section() {
  return el('div', { class: 'stack' },
    el('div', {}, el('button', { class: 'button', type: 'button', onclick: leave }, t('account.sign_out'))),
    el('h3', {}, t('account.leave')), el('p', {}, t('account.leave_text')),
    el('div', {}, el('button', { class: 'button danger', type: 'button', onclick: deactivate }, t('account.deactivate'))));
}
