/** Modal dialogs: the browser's own element, which keeps the focus inside and ends with Escape. */

import { el, fill, iconButton } from './element.js';
import { t } from './strings.js';

/**
 * @typedef {object} Action
 * @property {string} label
 * @property {string} [kind] `primary`, `danger` or nothing
 * @property {() => unknown} run what it does; the dialog closes when that has succeeded, and shows the error's text where it rejects
 */

/** Closes what stands above the page: dialogs, menus and panels. */
export function closeAll() {
  for (const dialog of document.querySelectorAll('dialog')) dialog.close();
  for (const panel of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('[popover]'))) panel.hidePopover();
}

/**
 * Opens a dialog; its element is answered, and fires `close`. The focus returns to where it was.
 * @param {{title: string, body?: (Node | string | null)[], actions?: Action[], wide?: boolean}} content
 */
export function openDialog({ title, body = [], actions = [], wide = false }) {
  const heading = el('h2', { id: `dialog-${Math.random().toString(36).slice(2)}` }, title);
  const said = el('p', { class: 'error', role: 'alert' });
  const close = iconButton('close', t('dialog.close'), { onclick: () => dialog.close() });
  const [first] = actions;
  const form = el('form', {
    class: 'dialog-form',
    onsubmit: (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      const chosen = Number(/** @type {HTMLElement | null} */ (event.submitter)?.dataset.action ?? 0);
      if (first) run(actions[chosen], event.submitter);
    },
  }, ...body, said, actions.length > 0 && el('div', { class: 'dialog-actions' },
    ...actions.map((action, i) => el('button', { class: `button ${action.kind ?? ''}`, data: { action: i } }, action.label))));
  const dialog = el('dialog', { class: `dialog${wide ? ' wide' : ''}`, 'aria-labelledby': heading.id },
    el('div', { class: 'dialog-head' }, heading, close), form);

  /** @param {Action} action @param {HTMLElement | null} button */
  async function run(action, button) {
    fill(said);
    button?.setAttribute('disabled', '');
    try {
      await action.run();
      dialog.close();
    } catch (error) {
      fill(said, /** @type {Error} */ (error).message);
    } finally {
      button?.removeAttribute('disabled');
    }
  }

  dialog.addEventListener('close', () => dialog.remove());
  dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
