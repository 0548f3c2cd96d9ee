/** Keys that work everywhere on the page, and the list of all keys. */

import { closeAll, openDialog } from './dialog.js';
import { el } from './element.js';
import { hrefOf } from './logic/routes.js';
import { session } from './session.js';
import { t } from './strings.js';

const isMac = /Mac|iPhone|iPad/.test(navigator.platform);
const CONTROL = isMac ? '⌘' : 'Ctrl';
const ALT = isMac ? '⌥' : 'Alt';

/** @type {[string[], string][]} */
const KEYS = [
  [[CONTROL, 'K'], 'keys.switch'],
  [[CONTROL, 'Shift', 'F'], 'keys.search'],
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

/**
 * Tells whether a key belongs to an input method, and acts in no other way: Enter takes what it offers. Safari ends the composition
 * before that Enter, which has the code 229 alone.
 * @param {KeyboardEvent} event
 */
export function isComposing({ isComposing: isWithin, keyCode }) {
  return isWithin || keyCode === 229;
}

/** @param {KeyboardEvent} event */
export async function takeKey(event) {
  if (!session.me || event.defaultPrevented || isComposing(event)) return;
  const { key, altKey, ctrlKey, metaKey, shiftKey } = event;
  const isTyping = /** @type {HTMLElement} */ (event.target)?.matches?.('input, textarea, select, [contenteditable]');
  if (key.toLowerCase() === 'k' && (ctrlKey || metaKey) && !altKey) {
    event.preventDefault();
    dispatchEvent(new CustomEvent('klatsch:switch'));
  } else if (key.toLowerCase() === 'f' && shiftKey && (ctrlKey || metaKey) && !altKey) {
    event.preventDefault();
    openSearch();
  } else if (altKey && (key === 'ArrowUp' || key === 'ArrowDown')) {
    event.preventDefault();
    await walk(key === 'ArrowDown' ? 1 : -1);
  } else if (key === '?' && !isTyping && !ctrlKey && !metaKey) {
    event.preventDefault();
    showKeys();
  }
}

/** Goes to where words are searched for. What is typed before that is there goes nowhere, and into no conversation. */
function openSearch() {
  const field = /** @type {HTMLInputElement | null} */ (document.querySelector('#search-words'));
  closeAll();
  if (!field) {
    /** @type {HTMLElement | null} */ (document.activeElement)?.blur();
    location.hash = '#/search';
    return;
  }
  field.focus();
  field.select();
}

const openId = () => location.hash.match(/^#\/c\/([^/]+)/)?.[1];

/** Opens the conversation that stands so many places further in the list; loads more of the list at the end of what is loaded. @param {number} step */
async function walk(step) {
  const { store } = session;
  const open = openId();
  const isOpen = (/** @type {any} */ { id }) => id === open;
  const isLast = () => store.conversations.all.findIndex(isOpen) + step === store.conversations.all.length;
  if (isLast() && store.hasMore) await store.loadMore().catch(() => {});
  if (store !== session.store || open !== openId()) return; // one has gone elsewhere meanwhile
  const { all } = store.conversations;
  const at = all.findIndex(isOpen);
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
