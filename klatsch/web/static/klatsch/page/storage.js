/** This browser's storage; one that lasts as long as the page where there is none. */

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

/** @returns {Pick<Storage, 'getItem' | 'setItem' | 'removeItem' | 'key' | 'length'>} */
export function openStorage() {
  try {
    localStorage.getItem('klatsch.theme'); // throws where the browser is told to keep nothing
    return localStorage;
  } catch {
    return new Passing();
  }
}
