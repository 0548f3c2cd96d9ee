/** Menus that open at a button: a popover with the roles and keys of a menu. */

import { el, fill } from '../element.js';
import { icon } from '../icons.js';

const EDGE_PX = 8;

/** @typedef {{label: string, icon?: string, run: () => void, isDanger?: boolean, hint?: string}} MenuItem */

/**
 * Opens a menu at an element, to which the focus returns.
 * @param {HTMLElement} anchor
 * @param {(MenuItem | null | false)[]} items
 * @param {string} label
 * @param {(menu: HTMLElement) => HTMLElement | null} [headOf] makes what stands above the items
 */
export function openMenu(anchor, items, label, headOf = () => null) {
  const shown = /** @type {MenuItem[]} */ (items.filter(Boolean));
  const buttons = shown.map((item) => el('button', {
    type: 'button', class: `menu-item${item.isDanger ? ' danger' : ''}`, role: 'menuitem', tabindex: -1,
    onclick: () => {
      menu.hidePopover();
      item.run();
    },
  }, item.icon ? icon(item.icon) : null, el('span', { class: 'grow' }, item.label), item.hint ? el('kbd', {}, item.hint) : null));
  const menu = el('div', { class: 'menu', role: 'menu', 'aria-label': label, popover: 'auto' });
  fill(menu, headOf(menu), buttons);
  menu.addEventListener('keydown', (event) => moveIn(menu, event));
  openAt(anchor, menu);
  buttons[0]?.focus();
}

/**
 * Shows a popover at an element: below it, or above where there is more room. It is removed when it closes.
 * @param {HTMLElement} anchor
 * @param {HTMLElement} popover
 */
export function openAt(anchor, popover) {
  popover.addEventListener('toggle', (event) => {
    if (/** @type {ToggleEvent} */ (event).newState !== 'closed') return;
    const hadFocus = popover.contains(document.activeElement) || document.activeElement === document.body;
    popover.remove();
    anchor.removeAttribute('aria-expanded');
    if (hadFocus) anchor.focus();
  });
  // Inside a landmark, and outside of views, which have keys of their own.
  /** @type {Element} */ (anchor.closest('dialog, .shell-main, .shell-side')).append(popover);
  anchor.setAttribute('aria-expanded', 'true');
  popover.showPopover();
  const at = anchor.getBoundingClientRect();
  const { width, height } = popover.getBoundingClientRect();
  const isRightToLeft = getComputedStyle(anchor).direction === 'rtl';
  const left = isRightToLeft ? at.left : at.right - width;
  const below = innerHeight - at.bottom;
  const top = below < height + EDGE_PX && at.top > below ? at.top - height - 4 : at.bottom + 4;
  popover.style.left = `${Math.max(EDGE_PX, Math.min(left, innerWidth - width - EDGE_PX))}px`;
  popover.style.top = `${Math.max(EDGE_PX, Math.min(top, innerHeight - height - EDGE_PX))}px`;
}

/** @param {HTMLElement} menu @param {KeyboardEvent} event */
function moveIn(menu, event) {
  const buttons = /** @type {HTMLElement[]} */ ([...menu.querySelectorAll('[role="menuitem"]')]);
  const at = buttons.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
  if (event.key === 'Tab') menu.hidePopover();
  if (to === undefined) return;
  event.preventDefault();
  buttons.at(to % buttons.length)?.focus();
}
