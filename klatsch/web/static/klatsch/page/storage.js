/** This browser's storage; one that lasts as long as the page where there is none. */

/** @typedef {Pick<Storage, 'getItem' | 'setItem' | 'removeItem' | 'key' | 'length'>} Kept */

class Passing {
  /** @type {Map<string, string>} */
  #values = new Map();

  get length() {
    return this.#values.size;
  }

  /** @param {number} i */
  key(i) {
    return [...this.#values.keys()][i] ?? null;
  }

  /** @param {string} key */
  getItem(key) {
    return this.#values.get(key) ?? null;
  }

  /** @param {string} key @param {string} value */
  setItem(key, value) {
    this.#values.set(key, value);
  }

  /** @param {string} key */
  removeItem(key) {
    this.#values.delete(key);
  }
}

/** A storage of the browser. What it has no room for lasts as long as the page. */
export class Lasting {
  #rest = new Passing();

  /** @param {Kept} storage */
  constructor(storage) {
    this.storage = storage;
  }

  get length() {
    return this.storage.length;
  }

  /** @param {number} i */
  key(i) {
    return this.storage.key(i);
  }

  /** @param {string} key */
  getItem(key) {
    return this.#rest.getItem(key) ?? this.storage.getItem(key);
  }

  /** @param {string} key @param {string} value */
  setItem(key, value) {
    this.#rest.removeItem(key);
    try {
      this.storage.setItem(key, value);
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      this.#rest.setItem(key, value);
    }
  }

  /** @param {string} key */
  removeItem(key) {
    this.#rest.removeItem(key);
    this.storage.removeItem(key);
  }
}

/** @param {() => Storage} [find] which one @returns {Kept} */
export function openStorage(find = () => localStorage) {
  try {
    return new Lasting(find()); // throws where the browser is told to keep nothing
  } catch {
    return new Passing();
  }
}
