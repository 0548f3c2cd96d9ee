/** Settings: another password. */

import { post } from '../api.js';
import { el, fill } from '../element.js';
import { makeForm } from '../form.js';
import { toast } from '../notes.js';
import { session } from '../session.js';
import { t } from '../strings.js';

export function section() {
  const { element, reset } = makeForm({
    fields: [
      { name: 'old_password', label: t('password.old'), type: 'password', autocomplete: 'current-password' },
      { name: 'new_password', label: t('password.new'), hint: t('signup.password_hint'), type: 'password', autocomplete: 'new-password' },
    ],
    submit: t('password.submit'),
    run: async (values) => {
      await post('auth/password', values);
      reset();
      toast(t('password.changed'));
    },
  });
  // A password manager files the new password under the name that stands before it.
  const name = el('input', { type: 'text', name: 'username', autocomplete: 'username', value: session.me?.username ?? '', hidden: true, readonly: true, 'aria-hidden': 'true', tabindex: -1 });
  element.prepend(name);
  return fill(el('div', { class: 'stack' }), el('p', {}, t('password.text')), element);
}
