/**
 * Product text: every sentence that the page shows is in the catalogue below, by a key such as `composer.send`.
 *
 *     t('composer.placeholder', { name: 'Tea' })      'Message {name}'
 *     t('list.unread', { count: 3 })                  { one: '{count} unread message', other: '{count} unread messages' }
 *
 * A translation is another catalogue with the same keys. Numbers are written in the person's language by Intl.
 */

import { ACCOUNT } from './strings/account.js';
import { CHAT } from './strings/chat.js';

/** @typedef {string | Partial<Record<Intl.LDMLPluralRule, string>>} Text */
/** @type {Record<string, Text>} */
const CATALOGUE = { ...CHAT, ...ACCOUNT };
const LANGUAGE = 'en';
const plurals = new Intl.PluralRules(LANGUAGE);
const numbers = new Intl.NumberFormat(LANGUAGE);
const lists = new Intl.ListFormat(LANGUAGE, { type: 'conjunction' });

/**
 * The text of that key, with its values put in. A text in several forms is chosen by `count`.
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 */
export function t(key, values = {}) {
  const text = CATALOGUE[key];
  if (text === undefined) throw new RangeError(`There is no text for ${key}.`);
  const form = typeof text === 'string' ? text : (text[plurals.select(Number(values.count))] ?? text.other ?? '');
  return form.replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name];
    return typeof value === 'number' ? numbers.format(value) : String(value);
  });
}

/**
 * @param {string} key
 * @returns {boolean}
 */
export const hasText = (key) => key in CATALOGUE;

/** @param {string[]} names */
export const listOf = (names) => lists.format(names);
