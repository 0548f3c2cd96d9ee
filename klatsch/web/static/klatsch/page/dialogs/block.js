/** Blocking a person. */

import { put } from '../api.js';
import { openDialog } from '../dialog.js';
import { el } from '../element.js';
import { toast } from '../notes.js';
import { t } from '../strings.js';

/** @param {string} user */
export function openBlock(user) {
  return openDialog({
    title: t('block.title', { user }),
    body: [el('p', {}, t('block.text')), el('p', {}, t('block.back'))],
    actions: [{
      label: t('block.submit'), kind: 'danger', run: async () => {
        await put(`blocks/${encodeURIComponent(user)}`);
        toast(t('block.done', { user }));
      },
    }],
  });
}
