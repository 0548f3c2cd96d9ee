/** A group's title and description, for those who may change them. */

import { patch } from '../api.js';
import { makeForm } from '../form.js';
import { toast } from '../notes.js';
import { session } from '../session.js';
import { t } from '../strings.js';

/** @param {import('./members.js').Context} context */
export function groupForm({ group, path, role }) {
  const title = { name: 'title', label: t('group.title'), value: group.title, most: 200, written: true };
  const description = { name: 'description', label: t('group.description'), type: 'textarea', value: group.description, most: 500, optional: true, written: true };
  return makeForm({
    fields: role === 'owner' ? [title, description] : [description],
    submit: t('settings.save'),
    run: async (values) => {
      await patch(path, values);
      await session.store.refresh(group.id);
      toast(t('settings.saved'));
    },
  }).element;
}
