/** The one way in which the page makes DOM: elements by name, text by text nodes. Nothing here parses HTML. */

import { icon } from './icons.js';

const PROPERTIES = new Set(['value', 'checked', 'indeterminate', 'selected', 'open']);

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * Makes an element. `class: 'row'`, `'aria-label': …`, `data: { id }`, `onclick: (event) => …`; true is an empty attribute; false,
 * null and undefined leave it out. Children are nodes or text.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  setAttributes(element, attributes);
  element.append(...nodes(children));
  return element;
}

/**
 * @param {Element} element
 * @param {Record<string, any>} attributes as `el` takes them; null removes
 */
export function setAttributes(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'data') Object.assign(/** @type {HTMLElement} */ (element).dataset, value);
    else if (name.startsWith('on')) element.addEventListener(name.slice(2), value); // throws for a text
    else if (PROPERTIES.has(name)) Object.assign(element, { [name]: value });
    else if (value === false || value === null || value === undefined) element.removeAttribute(name);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
}

/**
 * Puts these children in the place of all that are there.
 * @param {Element} element
 * @param {...(Child | Child[])} children
 */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
  return element;
}

/** @param {(Child | Child[])[]} children @returns {(Node | string)[]} */
function nodes(children) {
  return children.flat().filter((child) => child !== null && child !== undefined && child !== false && child !== '')
    .map((child) => (child instanceof Node ? child : String(child)));
}

/**
 * A button that shows a sign only, with its name for screen readers and as its tip.
 * @param {string} name of the sign
 * @param {string} label
 * @param {Record<string, any>} [attributes]
 */
export function iconButton(name, label, attributes = {}) {
  const more = attributes.class ? ` ${attributes.class}` : '';
  return el('button', { type: 'button', title: label, 'aria-label': label, ...attributes, class: `icon-button${more}` }, icon(name));
}

/**
 * A custom element of the page. `start` fills it when it comes into the document; what it listens to by `listen`, and what
 * waits for `this.gone`, ends when it leaves.
 */
export class Part extends HTMLElement {
  #leaving = new AbortController();

  /** Ends with the element's stay in the document: give it to fetch and to addEventListener. */
  get gone() {
    return this.#leaving.signal;
  }

  connectedCallback() {
    this.#leaving = new AbortController();
    this.start();
  }

  disconnectedCallback() {
    this.#leaving.abort();
    this.end();
  }

  /**
   * @param {EventTarget} target
   * @param {string} type
   * @param {(event: any) => void} listener
   * @param {AddEventListenerOptions} [options]
   */
  listen(target, type, listener, options = {}) {
    target.addEventListener(type, listener, { ...options, signal: this.gone });
  }

  start() {}

  end() {}
}
