/** A field in which people are found by the beginning of their names and chosen: by keyboard, pointer and screen reader. */

import { get } from '../api.js';
import { el, fill, iconButton } from '../element.js';
import { textOf } from '../form.js';
import { isComposing } from '../keys.js';
import { say } from '../notes.js';
import { t } from '../strings.js';

const WAIT_MS = 200; // between the last key and the question
const SHOWN = 8;
let choosers = 0;

/**
 * @param {object} options
 * @param {string} options.label
 * @param {string} [options.hint]
 * @param {(username: string) => boolean} [options.isLeftOut] people who are not offered
 * @param {(chosen: string[]) => void} [options.onchange]
 */
export function makeChooser({ label, hint = '', isLeftOut = () => false, onchange = () => {} }) {
  const id = `chooser-${(choosers += 1)}`;
  /** @type {string[]} */
  const chosen = [];
  /** @type {string[]} */
  let offered = [];
  let marked = -1;
  let asked = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const said = el('p', { id: `${id}-error`, class: 'error' });
  const chips = el('ul', { class: 'chips', 'aria-label': t('chooser.chosen') });
  const options = el('ul', { id: `${id}-list`, class: 'options', role: 'listbox', 'aria-label': label, hidden: true });
  const input = el('input', {
    id, role: 'combobox', autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false', 'aria-autocomplete': 'list',
    'aria-expanded': 'false', 'aria-controls': options.id, 'aria-describedby': `${id}-hint ${said.id}`,
    oninput: () => wait(), onkeydown: (/** @type {KeyboardEvent} */ event) => onKey(event), onblur: () => close(),
  });
  const element = el('div', { class: 'field chooser' }, el('label', { for: id }, label),
    el('p', { id: `${id}-hint`, class: 'hint' }, hint), chips, el('div', { class: 'chooser-field' }, input, options), said);

  function wait() {
    clearTimeout(timer);
    timer = setTimeout(find, WAIT_MS);
  }

  async function find() {
    const number = (asked += 1);
    const search = input.value.trim();
    if (search === '') return close();
    try {
      const { results } = await get(`users?${new URLSearchParams({ search, limit: '20' })}`);
      if (number !== asked) return;
      fill(said);
      offer(results.map((/** @type {any} */ one) => one.username).filter((/** @type {string} */ one) => !chosen.includes(one) && !isLeftOut(one)).slice(0, SHOWN));
    } catch (error) {
      if (number === asked) fill(said, textOf(error));
    }
  }

  /** @param {string[]} names */
  function offer(names) {
    offered = names;
    fill(options, names.length > 0
      ? names.map((name, i) => el('li', { id: `${id}-${i}`, role: 'option', 'aria-selected': 'false', onpointerdown: (/** @type {Event} */ event) => choose(name, event) }, name))
      : el('li', { role: 'option', 'aria-disabled': 'true', class: 'sub' }, t('chooser.none')));
    options.hidden = false;
    input.setAttribute('aria-expanded', 'true');
    mark(names.length > 0 ? 0 : -1);
  }

  /** @param {number} i */
  function mark(i) {
    marked = i;
    for (const [at, option] of [...options.children].entries()) option.setAttribute('aria-selected', String(at === i));
    if (i < 0) input.removeAttribute('aria-activedescendant');
    else input.setAttribute('aria-activedescendant', `${id}-${i}`);
  }

  function close() {
    clearTimeout(timer);
    asked += 1;
    offered = [];
    options.hidden = true;
    input.setAttribute('aria-expanded', 'false');
    mark(-1);
  }

  /** @param {KeyboardEvent} event */
  function onKey(event) {
    if (isComposing(event)) return;
    const isOpen = offered.length > 0;
    if (event.key === 'Enter') {
      event.preventDefault(); // never sends the form half chosen
      if (isOpen && marked >= 0) choose(offered[marked]);
    } else if (event.key === 'Escape' && !options.hidden) {
      event.stopPropagation();
      event.preventDefault();
      close();
    } else if (isOpen && (event.key === 'ArrowDown' || event.key === 'ArrowUp')) {
      event.preventDefault();
      mark((marked + (event.key === 'ArrowDown' ? 1 : offered.length - 1)) % offered.length);
    } else if (event.key === 'Backspace' && input.value === '' && chosen.length > 0) {
      remove(chosen[chosen.length - 1]);
    }
  }

  /** @param {string} name @param {Event} [event] */
  function choose(name, event) {
    event?.preventDefault(); // the focus stays in the field
    chosen.push(name);
    input.value = '';
    close();
    fill(said);
    render();
    say(t('chooser.added', { user: name }));
  }

  /** @param {string} name */
  function remove(name) {
    chosen.splice(chosen.indexOf(name), 1);
    render();
    input.focus();
    say(t('chooser.removed', { user: name }));
  }

  function render() {
    fill(chips, chosen.map((name) => el('li', { class: 'chip' }, name, iconButton('close', t('chooser.remove', { user: name }), { onclick: () => remove(name) }))));
    onchange([...chosen]);
  }

  return {
    element, input,
    value: () => [...chosen],
    clear: () => { chosen.length = 0; render(); },
    /** @param {string} text */
    tell(text) {
      fill(said, text);
      if (text) input.focus();
    },
  };
}
