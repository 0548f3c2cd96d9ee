/** Settings: what others see of one. */

import { get, patch } from '../api.js';
import { el } from '../element.js';
import { makeForm } from '../form.js';
import { fillLoaded } from '../loading.js';
import { toast } from '../notes.js';
import { session } from '../session.js';
import { t } from '../strings.js';

export function section() {
  const element = el('div', { class: 'stack' });
  fillLoaded(element, () => get('me'), (me) => [
    el('dl', { class: 'facts' },
      el('dt', {}, t('profile.username')), el('dd', {}, me.username),
      el('dt', {}, t('profile.email')), el('dd', {}, me.email)),
    makeForm({
      fields: [
        { name: 'display_name', label: t('profile.display_name'), hint: t('profile.display_name_hint'), value: me.display_name, optional: true, most: 64, written: true, autocomplete: 'nickname' },
        { name: 'about', label: t('profile.about'), type: 'textarea', value: me.about, optional: true, most: 500, written: true },
        { name: 'read_receipts', label: t('profile.read_receipts'), hint: t('profile.read_receipts_hint'), type: 'check', value: me.read_receipts },
      ],
      submit: t('settings.save'),
      run: async (values) => {
        const changed = await patch('me', values);
        if (session.me) session.me.display_name = changed.display_name;
        toast(t('settings.saved'));
      },
    }).element,
  ]);
  return element;
}
