/** Reporting a message to the moderators. */

import { post } from '../api.js';
import { openDialog } from '../dialog.js';
import { el } from '../element.js';
import { makeForm } from '../form.js';
import { toast } from '../notes.js';
import { t } from '../strings.js';

const REASONS = ['spam', 'harassment', 'violence', 'other'];

/** @param {{id: string, sender: string}} message */
export function openReport({ id, sender }) {
  const reasons = el('fieldset', { class: 'choices' }, el('legend', {}, t('report.reason')),
    REASONS.map((reason, i) => el('label', { class: 'choice' }, el('input', { type: 'radio', name: 'reason', value: reason, checked: i === 0 }), t(`report.${reason}`))));
  const { element } = makeForm({
    fields: [{ name: 'detail', label: t('report.detail'), type: 'textarea', optional: true, most: 1000, written: true }],
    submit: t('report.submit'),
    run: async ({ detail }) => {
      const reason = /** @type {HTMLInputElement} */ (reasons.querySelector(':checked')).value;
      await post(`messages/${encodeURIComponent(id)}/report`, { reason, detail });
      dialog.close();
      toast(t('report.sent'));
    },
  });
  element.prepend(reasons);
  const dialog = openDialog({ title: t('report.title'), body: [el('p', {}, t('report.text', { user: sender }))] });
  dialog.append(el('div', { class: 'dialog-form' }, element));
  element.querySelector('input')?.focus();
}
