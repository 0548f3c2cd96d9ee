/** The quick switcher: finds conversations and people by their names, by keyboard alone. */

import { get } from '../api.js';
import { el, fill } from '../element.js';
import { otherOf } from '../logic/conversations.js';
import { hrefOf } from '../logic/routes.js';
import { session } from '../session.js';
import { t } from '../strings.js';
import { avatar } from './avatar.js';

const SHOWN_MOST = 12;
const PAUSE_MS = 150;

/** @typedef {{name: string, href: string, isGroup: boolean, hint: string}} Target */

export function openSwitcher() {
  if (document.querySelector('.switcher')) return;
  /** @type {Target[]} */
  let targets = [];
  let at = 0;
  let asked = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const field = el('input', {
    type: 'search', role: 'combobox', 'aria-label': t('switcher.label'), placeholder: t('switcher.label'), 'aria-controls': 'switcher-list', 'aria-expanded': 'true',
    'aria-autocomplete': 'list', autocomplete: 'off', spellcheck: 'false',
  });
  const list = el('ul', { id: 'switcher-list', role: 'listbox', 'aria-label': t('switcher.label'), class: 'switcher-list' });
  const note = el('p', { class: 'sub switcher-note', role: 'status' });
  const dialog = el('dialog', { class: 'dialog switcher', 'aria-label': t('switcher.label') }, field, list, note);

  function show() {
    fill(list, targets.map(({ name, isGroup, hint }, i) => el('li', {
      id: `switcher-${i}`, role: 'option', class: 'completion', 'aria-selected': String(i === at), onclick: () => choose(i),
    }, avatar(name, { isGroup, isSmall: true }), el('span', { class: 'grow', dir: 'auto' }, name), hint && el('span', { class: 'sub' }, hint))));
    fill(note, targets.length === 0 ? t('switcher.none') : '');
    if (targets.length > 0) field.setAttribute('aria-activedescendant', `switcher-${at}`);
    else field.removeAttribute('aria-activedescendant');
    list.children[at]?.scrollIntoView({ block: 'nearest' });
  }

  /** @param {number} i */
  function choose(i) {
    const target = targets[i];
    if (!target) return;
    dialog.close();
    location.hash = target.href;
  }

  function search() {
    const wanted = field.value.trim().toLowerCase();
    targets = known(wanted);
    at = 0;
    show();
    clearTimeout(timer);
    const mine = (asked += 1);
    if (wanted === '') return;
    timer = setTimeout(async () => {
      const { results } = await get(`users?limit=${SHOWN_MOST}&search=${encodeURIComponent(wanted)}`).catch(() => ({ results: [] }));
      if (mine !== asked) return;
      const names = new Set(targets.map(({ name }) => name));
      const people = results.filter((/** @type {any} */ { username }) => !names.has(username) && username !== session.me?.username);
      targets = [...targets, ...people.map((/** @type {any} */ { username }) => ({ name: username, href: hrefOf('with', username), isGroup: false, hint: t('switcher.person') }))].slice(0, SHOWN_MOST);
      show();
    }, PAUSE_MS);
  }

  field.addEventListener('input', search);
  field.addEventListener('keydown', (event) => {
    if (event.isComposing) return;
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      at = targets.length === 0 ? 0 : (at + (event.key === 'ArrowDown' ? 1 : targets.length - 1)) % targets.length;
      show();
    } else if (event.key === 'Enter') {
      event.preventDefault();
      choose(at);
    }
  });
  dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  search();
}

/** Conversations of the list whose name has the text; those whose name begins with it first. @param {string} wanted @returns {Target[]} */
function known(wanted) {
  const { store, me } = session;
  const named = store.conversations.all.map((/** @type {any} */ one) => ({ one, name: store.nameOf(one) }));
  const fits = named.filter(({ name }) => name.toLowerCase().includes(wanted));
  fits.sort((a, b) => Number(b.name.toLowerCase().startsWith(wanted)) - Number(a.name.toLowerCase().startsWith(wanted)));
  return fits.slice(0, SHOWN_MOST).map(({ one, name }) => ({
    name, href: hrefOf('c', one.id), isGroup: one.kind === 'group', hint: otherOf(one, me?.username ?? '') ? '' : t('switcher.group'),
  }));
}
