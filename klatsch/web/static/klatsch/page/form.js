/** Forms whose errors stand beside their fields, as the server names them. */

import { ApiError } from './api.js';
import { el, fill } from './element.js';
import { hasText, t } from './strings.js';

let forms = 0;

/**
 * @typedef {object} Field
 * @property {string} name as the API names it
 * @property {string} label
 * @property {string} [type] of the input; `textarea` is a text of several lines, `check` a box to tick
 * @property {string} [hint]
 * @property {string | boolean} [value]
 * @property {string} [autocomplete]
 * @property {boolean} [optional]
 * @property {number} [most] characters
 * @property {boolean} [written] a text of people, whose direction follows its content
 */
/** @typedef {Record<string, any>} Values */

/**
 * A form. `run` gets the values by field; where it rejects with an ApiError, each error is shown beside its field, the others above
 * the button, and the focus goes to the first field that is wrong.
 * @param {object} options
 * @param {Field[]} options.fields
 * @param {string} options.submit the button's label
 * @param {(values: Values) => unknown} options.run
 * @param {string} [options.kind] of the button
 * @param {(Node | null)[]} [options.before] what stands above the button
 * @param {(Node | null)[]} [options.after] what stands beside it
 */
export function makeForm({ fields, submit, run, kind = 'primary', before = [], after = [] }) {
  const prefix = `form-${(forms += 1)}`;
  const rows = fields.map((field) => rowOf(field, `${prefix}-${field.name}`));
  const said = el('p', { class: 'error', role: 'alert' });
  const button = el('button', { class: `button ${kind}` }, submit);
  const form = el('form', { class: 'form', novalidate: true, onsubmit: (/** @type {Event} */ event) => onSubmit(event) },
    ...rows.map(({ element }) => element), ...before, said, el('div', { class: 'form-actions' }, button, ...after));
  let isBusy = false;

  /** @param {Event} event */
  async function onSubmit(event) {
    event.preventDefault();
    if (isBusy) return;
    fill(said);
    for (const row of rows) row.say(row.isMissing() ? t('form.required') : '');
    if (focusFirst(rows)) return;
    isBusy = true;
    button.setAttribute('aria-busy', 'true');
    try {
      await run(Object.fromEntries(rows.map((row) => [row.name, row.value()])));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      tell(error);
    } finally {
      isBusy = false;
      button.removeAttribute('aria-busy');
    }
  }

  /** @param {ApiError} error */
  function tell(error) {
    const others = { ...error.fields };
    for (const row of rows) {
      row.say((others[row.name] ?? []).join(' '));
      delete others[row.name];
    }
    const rest = Object.values(others).flat();
    const isShown = focusFirst(rows);
    if (rest.length > 0 || !isShown) fill(said, rest.length > 0 ? rest.join(' ') : textOf(error));
  }

  return { element: form, rows, reset: () => form.reset() };
}

/** What an error says to the person. @param {unknown} error */
export function textOf(error) {
  if (!(error instanceof ApiError)) throw error;
  return hasText(`error.${error.code}`) ? t(`error.${error.code}`) : error.message || t('error.unknown');
}

/** @param {{input: HTMLElement, isWrong: () => boolean}[]} rows */
function focusFirst(rows) {
  const wrong = rows.find((row) => row.isWrong());
  wrong?.input.focus();
  return wrong !== undefined;
}

/** @param {Field} field @param {string} id */
function rowOf({ name, label, type = 'text', hint, value, autocomplete, optional = false, most, written = false }, id) {
  const said = el('p', { id: `${id}-error`, class: 'error' });
  const note = hint ? el('p', { id: `${id}-hint`, class: 'hint' }, hint) : null;
  const common = {
    id, name, autocomplete, required: !optional, maxlength: most, dir: written ? 'auto' : undefined,
    'aria-describedby': [note?.id, said.id].filter(Boolean).join(' '),
  };
  const isBox = type === 'check';
  const input = isBox
    ? el('input', { ...common, required: false, type: 'checkbox', checked: Boolean(value) })
    : type === 'textarea' ? el('textarea', { ...common, rows: 3 }, String(value ?? ''))
      : el('input', { ...common, type, value: String(value ?? ''), ...plainOf(type, name) });
  const element = isBox
    ? el('div', { class: 'field' }, el('div', { class: 'choice' }, input, el('label', { for: id }, label)), note, said)
    : el('div', { class: 'field' }, el('label', { for: id }, label), note, input, said);
  return {
    name, element, input,
    value: () => (isBox ? /** @type {HTMLInputElement} */ (input).checked : input.value),
    isMissing: () => !isBox && !optional && input.value === '',
    isWrong: () => said.textContent !== '',
    /** @param {string} text */
    say(text) {
      fill(said, text);
      if (text) input.setAttribute('aria-invalid', 'true');
      else input.removeAttribute('aria-invalid');
    },
  };
}

/** Names and addresses are not words: nothing corrects them. @param {string} type @param {string} name */
function plainOf(type, name) {
  const isPlain = type === 'email' || type === 'password' || name === 'username';
  return isPlain ? { autocapitalize: 'none', spellcheck: 'false', autocorrect: 'off' } : {};
}
