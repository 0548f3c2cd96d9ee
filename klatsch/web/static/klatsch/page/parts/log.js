/** The messages of a conversation, one below the other, in a scroller that keeps its place whatever comes above or below. */

import { el, fill, Part } from '../element.js';
import { dayName } from '../logic/times.js';
import { t } from '../strings.js';
import './message.js';

const NEAR_END_PX = 100;
const AHEAD_SCREENS = 1.5;

/**
 * Fires `older` and `newer` when more is wanted at an end, `seen` (`detail`: the last message whose end is on the screen) and `moved`.
 */
class Log extends Part {
  /** @type {Map<string, HTMLElement>} By the item's key. */
  #elements = new Map();
  #isNearEnd = true;
  #isWhole = true;
  #frame = 0;

  start() {
    if (!this.list) {
      this.list = el('div', { class: 'log-list' });
      this.beginning = el('p', { class: 'log-begin', hidden: true, dir: 'auto' });
      this.notice = el('div', { class: 'empty', role: 'status', hidden: true });
      fill(this, this.notice, this.beginning, this.list);
    }
    this.setAttribute('role', 'log');
    this.setAttribute('aria-live', 'off'); // what is new is read out apart: pages of old messages are not
    this.setAttribute('aria-label', t('log.label'));
    this.setAttribute('tabindex', '0');
    this.listen(this, 'scroll', () => this.#scrolled(), { passive: true });
    this.sizes = new ResizeObserver(() => this.#resized());
    this.sizes.observe(this);
    this.sizes.observe(this.list);
  }

  end() {
    this.sizes?.disconnect();
    cancelAnimationFrame(this.#frame);
  }

  /** Whether the end of the conversation is on the screen, or within 100 px of it. */
  get isFollowing() {
    return this.#isNearEnd && this.#isWhole;
  }

  /** Whether the end of what is loaded is nearer than its beginning. */
  get isNearEnd() {
    return this.#isNearEnd || this.scrollTop + this.clientHeight / 2 > this.scrollHeight / 2;
  }

  /**
   * Shows these items in the place of those before; what stays keeps its element, and what one reads keeps its place.
   * @param {import('../logic/timeline.js').Item[]} items
   * @param {(item: any) => import('./message.js').Shown} shownOf
   * @param {boolean} isWhole whether there is nothing behind them: only that end is followed
   */
  render(items, shownOf, isWhole) {
    const anchor = this.isFollowing ? null : this.#anchor();
    this.#isWhole = isWhole;
    const keys = new Set(items.map(({ key }) => key));
    for (const [key, element] of this.#elements) {
      if (keys.has(key)) continue;
      element.remove();
      this.#elements.delete(key);
    }
    let next = this.list.firstChild;
    for (const item of items) {
      const element = this.#element(item);
      if (element === next) next = next.nextSibling;
      else this.list.insertBefore(element, next);
      if (item.kind === 'message') /** @type {any} */ (element).show(shownOf(item));
      else if (item.kind === 'day') fill(element, el('span', {}, dayName(item.date, new Date())));
    }
    if (anchor) this.#restore(anchor);
    else this.scrollTop = this.scrollHeight;
    this.#soon();
  }

  /** @param {import('../logic/timeline.js').Item} item */
  #element(item) {
    let element = this.#elements.get(item.key);
    if (!element) {
      element = /** @type {HTMLElement} */ (item.kind === 'message' ? document.createElement('k-message') : separator(item));
      this.#elements.set(item.key, element);
    }
    return element;
  }

  /** The first message on the screen, and where it stands. */
  #anchor() {
    const { top } = this.getBoundingClientRect();
    const children = /** @type {HTMLElement[]} */ ([...this.list.querySelectorAll('k-message')]);
    let [low, high] = [0, children.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (children[middle].getBoundingClientRect().bottom > top) high = middle;
      else low = middle + 1;
    }
    const following = children.slice(low, low + 40);
    return following.length > 0 ? following.map((element) => ({ element, top: element.getBoundingClientRect().top })) : null;
  }

  /** @param {{element: HTMLElement, top: number}[]} anchors */
  #restore(anchors) {
    const anchor = anchors.find(({ element }) => element.isConnected);
    if (!anchor) return;
    const moved = anchor.element.getBoundingClientRect().top - anchor.top;
    if (moved !== 0) this.scrollTop += moved;
  }

  /** What stands above the first message; nothing while there are older ones. @param {string} text */
  begin(text) {
    this.beginning.hidden = text === '';
    if (this.beginning.textContent !== text) fill(this.beginning, text);
  }

  /** Shows above the messages what is wrong with them; nothing without children. @param {...HTMLElement} children */
  note(...children) {
    const { notice } = this;
    if (!notice || (notice.hidden && children.length === 0)) return;
    notice.hidden = children.length === 0;
    fill(notice, children);
  }

  get isNoted() {
    return this.notice?.hidden === false;
  }

  toEnd() {
    this.#isNearEnd = true;
    this.scrollTop = this.scrollHeight;
    this.#soon();
  }

  /** Brings a message into the middle, and lights it up. @param {string} id @param {{isLit?: boolean}} [options] @returns {boolean} whether it is here */
  reveal(id, { isLit = true } = {}) {
    const element = this.list.querySelector(`k-message[data-id="${CSS.escape(id)}"]`);
    if (!element) return false;
    this.#isNearEnd = false;
    element.scrollIntoView({ block: 'center' });
    if (isLit) {
      element.classList.remove('lit');
      requestAnimationFrame(() => element.classList.add('lit'));
      element.addEventListener('animationend', () => element.classList.remove('lit'), { once: true });
    }
    this.#scrolled();
    return true;
  }

  /** Brings the line "new" to the upper part. @returns {boolean} whether it is here */
  revealNew() {
    const line = this.#elements.get('new');
    if (!line) return false;
    this.#isNearEnd = false;
    this.scrollTop += line.getBoundingClientRect().top - this.getBoundingClientRect().top - this.clientHeight / 5;
    this.#scrolled();
    return true;
  }

  /** Where the line "new" is: -1 above the screen, 0 on it, 1 below; null where there is none. */
  get newLine() {
    const line = this.#elements.get('new')?.getBoundingClientRect();
    if (!line) return null;
    const { top, bottom } = this.getBoundingClientRect();
    return line.bottom < top ? -1 : line.top > bottom ? 1 : 0;
  }

  /** The first message on the screen. @returns {string | null} its id */
  get firstSeen() {
    return this.#anchor()?.[0].element.dataset.id ?? null;
  }

  #scrolled() {
    const distance = this.scrollHeight - this.clientHeight - this.scrollTop;
    this.#isNearEnd = distance <= NEAR_END_PX;
    this.#soon();
  }

  #resized() {
    if (this.isFollowing) this.scrollTop = this.scrollHeight;
    this.#soon();
  }

  /** Tells once in a frame what is on the screen and what is wanted. */
  #soon() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#tell());
  }

  #tell() {
    const ahead = this.clientHeight * AHEAD_SCREENS;
    if (this.scrollTop < ahead) this.dispatchEvent(new CustomEvent('older'));
    if (this.scrollHeight - this.clientHeight - this.scrollTop < ahead) this.dispatchEvent(new CustomEvent('newer'));
    this.dispatchEvent(new CustomEvent('seen', { detail: this.lastSeen }));
    this.dispatchEvent(new CustomEvent('moved'));
  }

  /** The last message whose end is on the screen, or that fills it. @returns {any} */
  get lastSeen() {
    const { top, bottom } = this.getBoundingClientRect();
    const elements = /** @type {any[]} */ ([...this.list.querySelectorAll('k-message')]);
    for (const element of elements.reverse()) {
      const at = element.getBoundingClientRect();
      if (at.bottom <= bottom + 1 || at.top < top) return element.shown?.message ?? null;
    }
    return null;
  }
}

/** @param {any} item */
function separator(item) {
  if (item.kind === 'day') return el('div', { class: 'day', role: 'separator' });
  return el('div', { class: 'new-line', role: 'separator', 'aria-label': t('log.new') }, el('span', {}, t('log.new')));
}

customElements.define('k-log', Log);
