/** The quick switcher: finds conversations and people by their names, by keyboard alone. */

import { get } from '../api.js';
import { el, fill } from '../element.js';
import { isComposing } from '../keys.js';
import { otherOf } from '../logic/conversations.js';
import { hrefOf } from '../logic/routes.js';
import { session } from '../session.js';
import { t } from '../strings.js';
import { avatar } from './avatar.js';

const SHOWN_MOST = 12;
const PAUSE_MS = 150;
const PAGE_CONVERSATIONS = 100; // the most that the server gives at once
const SEARCHED_MOST = 1_000; // conversations: ten questions at most. What is older in a longer list is found by scrolling alone

/**
 * `key` is the other person of a direct conversation, whether there is one yet or not, or else the conversation's id.
 * @typedef {{key: string, name: string, href: string, isGroup: boolean, hint: string}} Target
 */

export function openSwitcher() {
  if (document.querySelector('.switcher')) return;
  /** @type {Target[]} */
  let targets = [];
  /** @type {string[]} */
  let people = [];
  let at = 0;
  let asked = 0;
  let ifNone = '';
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const field = el('input', {
    type: 'search', role: 'combobox', 'aria-label': t('switcher.label'), placeholder: t('switcher.label'), 'aria-controls': 'switcher-list', 'aria-expanded': 'true',
    'aria-autocomplete': 'list', autocomplete: 'off', spellcheck: 'false',
  });
  const list = el('ul', { id: 'switcher-list', role: 'listbox', 'aria-label': t('switcher.label'), class: 'switcher-list' });
  const note = el('p', { class: 'sub switcher-note', role: 'status' });
  const messages = el('a', { class: 'button quiet', onclick: () => dialog.close() });
  const dialog = el('dialog', { class: 'dialog switcher', 'aria-label': t('switcher.label') }, field, list, note, messages);

  /** Shows what is found. A chosen target stays chosen while more is found, wherever it stands then: Enter may be under way. */
  function show() {
    const chosen = targets[at]?.key;
    const found = known(wanted());
    const keys = new Set(found.map(({ key }) => key));
    targets = [...found, ...people.filter((name) => !keys.has(name)).map(personOf)].slice(0, SHOWN_MOST);
    at = Math.max(0, targets.findIndex(({ key }) => key === chosen));
    fill(list, targets.map(({ name, isGroup, hint }, i) => el('li', {
      id: `switcher-${i}`, role: 'option', class: 'completion', 'aria-selected': String(i === at), onclick: () => choose(i),
    }, avatar(name, { isGroup, isSmall: true }), el('span', { class: 'grow', dir: 'auto' }, name), hint && el('span', { class: 'sub' }, hint))));
    fill(note, targets.length === 0 && ifNone);
    const text = field.value.trim();
    fill(messages, text ? t('switcher.messages_with', { text }) : t('switcher.messages'));
    messages.href = text ? hrefOf('search', text) : '#/search';
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

  const wanted = () => field.value.trim().toLowerCase();

  function search() {
    clearTimeout(timer);
    const mine = (asked += 1);
    const isAsked = () => mine === asked && dialog.open && session.store !== null;
    targets = [];
    people = [];
    ifNone = wanted() === '' ? t('switcher.none') : '';
    show();
    if (wanted() !== '') timer = setTimeout(() => find(isAsked), PAUSE_MS);
  }

  /** Finds what is not loaded. @param {() => boolean} isAsked whether its answers are still those to what is written */
  async function find(isAsked) {
    await Promise.all([findPeople(isAsked), findConversations(isAsked)]);
    if (!isAsked()) return;
    ifNone = t('switcher.none');
    show();
  }

  /** @param {() => boolean} isAsked */
  async function findPeople(isAsked) {
    const { results } = await get(`users?limit=${SHOWN_MOST}&search=${encodeURIComponent(wanted())}`).catch(() => ({ results: [] }));
    if (!isAsked()) return;
    people = results.map((/** @type {any} */ { username }) => username).filter((/** @type {string} */ name) => name !== session.me?.username);
    show();
  }

  /** Loads more of the list while less fits than can be shown. @param {() => boolean} isAsked */
  async function findConversations(isAsked) {
    const { store } = session;
    const isShort = () => known(wanted()).length < SHOWN_MOST && store.hasMore && store.conversations.all.length < SEARCHED_MOST;
    let isHad = true;
    while (isHad && isAsked() && isShort()) {
      isHad = await store.loadMore(PAGE_CONVERSATIONS).then(() => true, () => false);
      if (!isAsked()) return;
      ifNone = t('loading.wait');
      show();
    }
  }

  field.addEventListener('input', search);
  field.addEventListener('keydown', (event) => {
    if (isComposing(event)) return;
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
  dialog.addEventListener('close', () => {
    clearTimeout(timer);
    dialog.remove();
  });
  document.body.append(dialog);
  dialog.showModal();
  search();
}

/** Conversations of the loaded part of the list whose name has the text; those whose name begins with it first. @param {string} wanted @returns {Target[]} */
function known(wanted) {
  const { store, me } = session;
  const named = store.conversations.all.map((/** @type {any} */ one) => ({ one, name: store.nameOf(one) }));
  const fits = named.filter(({ name }) => name.toLowerCase().includes(wanted));
  fits.sort((a, b) => Number(b.name.toLowerCase().startsWith(wanted)) - Number(a.name.toLowerCase().startsWith(wanted)));
  return fits.slice(0, SHOWN_MOST).map(({ one, name }) => ({
    key: otherOf(one, me?.username ?? '') ?? one.id,
    name, href: hrefOf('c', one.id), isGroup: one.kind === 'group', hint: otherOf(one, me?.username ?? '') ? '' : t('switcher.group'),
  }));
}

/** Somebody to whom one has not written. @param {string} name @returns {Target} */
const personOf = (name) => ({ key: name, name, href: hrefOf('with', name), isGroup: false, hint: t('switcher.person') });
