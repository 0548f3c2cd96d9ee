/** The round sign of a person or a group: the first letter of the name, in one of a few tones. */

import { el } from '../element.js';
import { icon } from '../icons.js';

const TONES = 6;

/**
 * @param {string} name
 * @param {{isGroup?: boolean, isOnline?: boolean, isSmall?: boolean}} [options]
 */
export function avatar(name, { isGroup = false, isOnline = false, isSmall = false } = {}) {
  const tone = [...name].reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) ?? 0)) % 1_000_003, 7) % TONES;
  const sign = isGroup ? icon('group') : ([...name][0] ?? '?');
  return el('span', { class: `avatar tone-${tone}${isSmall ? ' small' : ''}`, 'aria-hidden': 'true' }, sign, isOnline && el('span', { class: 'online' }));
}
