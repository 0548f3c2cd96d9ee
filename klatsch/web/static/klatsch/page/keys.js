/** Keys that work everywhere on the page, and the list of all keys. */

import { openDialog } from './dialog.js';
import { el } from './element.js';
import { use } from './loading.js';
import { hrefOf } from './logic/routes.js';
import { session } from './session.js';
import { t } from './strings.js';

const isMac = /Mac|iPhone|iPad/.test(navigator.platform);
const CONTROL = isMac ? '⌘' : 'Ctrl';
const ALT = isMac ? '⌥' : 'Alt';

/** @type {[string[], string][]} */
const KEYS = [
  [[CONTROL, 'K'], 'keys.switch'],
  [[ALT, '↑ ↓'], 'keys.walk'],
  [['Enter'], 'keys.send'],
  [['Shift', 'Enter'], 'keys.line'],
  [['↑'], 'keys.edit_last'],
  [['@'], 'keys.mention'],
  [[':'], 'keys.emoji'],
  [['Esc'], 'keys.escape'],
  [['Shift', 'Tab'], 'keys.messages'],
  [['?'], 'keys.help'],
];

/** @param {KeyboardEvent} event */
export async function takeKey(event) {
  if (!session.me || event.defaultPrevented || event.isComposing) return;
  const { key, altKey, ctrlKey, metaKey } = event;
  const isTyping = /** @type {HTMLElement} */ (event.target)?.matches?.('input, textarea, select, [contenteditable]');
  if (key.toLowerCase() === 'k' && (ctrlKey || metaKey) && !altKey) {
    event.preventDefault();
    await openSwitcher();
  } else if (altKey && (key === 'ArrowUp' || key === 'ArrowDown')) {
    event.preventDefault();
    walk(key === 'ArrowDown' ? 1 : -1);
  } else if (key === '?' && !isTyping && !ctrlKey && !metaKey) {
    event.preventDefault();
    showKeys();
  }
}

export const openSwitcher = () => use(import('./parts/switcher.js'), (switcher) => switcher.openSwitcher());

/** @param {number} step */
function walk(step) {
  const { all } = session.store.conversations;
  const open = location.hash.match(/^#\/c\/([^/]+)/)?.[1];
  const at = all.findIndex((/** @type {any} */ { id }) => id === open);
  const next = all[at < 0 ? 0 : at + step];
  if (next) location.hash = hrefOf('c', next.id);
}

export function showKeys() {
  if (document.querySelector('.keys')) return;
  openDialog({
    title: t('keys.heading'),
    body: [el('dl', { class: 'keys' }, KEYS.map(([keys, text]) => el('div', {}, el('dt', {}, keys.flatMap((key, i) => [i > 0 && ' + ', el('kbd', {}, key)])), el('dd', {}, t(text)))))],
  });
}
