/** What is shown while something is loaded, and where that failed. */

import { textOf } from './form.js';
import { el, fill } from './element.js';
import { toast } from './notes.js';
import { t } from './strings.js';

const QUIET_MS = 300; // what is there sooner needs no word

/** @type {WeakMap<Element, () => Promise<unknown>>} What each element was last to be filled with. */
const wanted = new WeakMap();

/**
 * Fills an element with what `load` resolves to, as `show` makes it; says so while that takes its time, and offers another try.
 * What comes after the element has left the document, or is to show something else, counts for nothing.
 * @template T
 * @param {Element} element
 * @param {() => Promise<T>} load
 * @param {(loaded: T) => (Node | null)[]} show
 */
export async function fillLoaded(element, load, show) {
  wanted.set(element, load);
  const isWanted = () => element.isConnected && wanted.get(element) === load;
  element.setAttribute('aria-busy', 'true');
  const timer = setTimeout(() => isWanted() && fill(element, el('p', { class: 'sub', role: 'status' }, t('loading.wait'))), QUIET_MS);
  try {
    const loaded = await load();
    if (isWanted()) fill(element, ...show(loaded));
  } catch (error) {
    if (!isWanted()) return;
    const again = el('button', { class: 'button', type: 'button', onclick: () => fillLoaded(element, load, show) }, t('loading.again'));
    fill(element, el('div', { class: 'notice bad', role: 'alert' }, el('p', { class: 'grow' }, textOf(error)), again));
  } finally {
    clearTimeout(timer);
    if (wanted.get(element) === load) element.removeAttribute('aria-busy');
  }
}

/**
 * Tells whether an `import` has rejected for a file that cannot be had (TypeError), or for one of another version of the page, whose
 * imports are not in the files that are here already (SyntaxError).
 * @param {unknown} error
 */
export const isNotLoaded = (error) => error instanceof TypeError || error instanceof SyntaxError;

/**
 * Uses a part of the page that is loaded when it is wanted, unless one has gone elsewhere meanwhile; says so where it cannot be had now.
 * @template T
 * @param {Promise<T>} loading an `import`
 * @param {(loaded: T) => void} act
 */
export async function use(loading, act) {
  const { hash } = location;
  try {
    const loaded = await loading;
    if (location.hash === hash) act(loaded);
  } catch (error) {
    if (!isNotLoaded(error)) throw error;
    toast(t(error instanceof TypeError ? 'error.unreachable' : 'shell.not_loaded_why'));
  }
}
