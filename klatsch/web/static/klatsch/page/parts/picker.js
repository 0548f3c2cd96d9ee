/** Choosing an emoji: a grid with a search field, at a button. */

import { el, fill } from '../element.js';
import { EMOJI, emojiName, findEmoji, QUICK } from '../logic/emoji.js';
import { t } from '../strings.js';
import { openAt } from './menu.js';

const COLUMNS = 8;
const FOUND_MOST = 64;

/**
 * @param {HTMLElement} anchor
 * @param {(emoji: string) => void} choose
 */
export function pickEmoji(anchor, choose) {
  const search = el('input', { type: 'search', 'aria-label': t('emoji.search'), placeholder: t('emoji.search'), autocomplete: 'off' });
  const grid = el('div', { class: 'emoji-grid', role: 'group', 'aria-label': t('emoji.label') });
  const panel = el('div', { class: 'emoji-panel', popover: 'auto', role: 'dialog', 'aria-label': t('emoji.label') }, search, grid);

  function show() {
    const wanted = search.value.trim();
    const found = wanted ? findEmoji(wanted, FOUND_MOST).map(({ emoji }) => emoji) : [...new Set([...QUICK, ...EMOJI.map(({ emoji }) => emoji)])];
    fill(grid, found.length === 0 ? el('p', { class: 'sub' }, t('emoji.none')) : found.map((emoji) => el('button', {
      type: 'button', class: 'emoji', title: emojiName(emoji), 'aria-label': emojiName(emoji),
      onclick: () => {
        panel.hidePopover();
        choose(emoji);
      },
    }, emoji)));
  }

  search.addEventListener('input', show);
  panel.addEventListener('keydown', (event) => {
    const buttons = /** @type {HTMLElement[]} */ ([...grid.querySelectorAll('button')]);
    const at = buttons.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    if (event.key === 'Enter' && at < 0) buttons[0]?.click();
    const step = { ArrowDown: at < 0 ? 1 : COLUMNS, ArrowUp: -COLUMNS, ArrowRight: at < 0 ? 0 : 1, ArrowLeft: at < 0 ? 0 : -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    if (at + step < 0) search.focus();
    else buttons[Math.min(at + step, buttons.length - 1)]?.focus();
  });
  show();
  openAt(anchor, panel);
  search.focus();
}
