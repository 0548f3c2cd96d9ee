/** Whose presence is asked for: of the people that any part of the page shows. */

const PEOPLE_MOST = 200; // of a connection
const SETTLED_MS = 300; // a list that is scrolled asks when it stands

export class Presence {
  /** @type {Map<string, string[]>} By the part that shows them. */
  #wanted = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #asked = '';

  /** @param {() => any} chat */
  constructor(chat) {
    this.chat = chat;
  }

  /** @param {string} part @param {string[]} users those that it shows; none when it goes */
  want(part, users) {
    this.#wanted.set(part, users);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), SETTLED_MS);
  }

  /** Asks another chat for the same people. */
  again() {
    this.#asked = '';
    this.#ask();
  }

  #ask() {
    const users = [...new Set([...this.#wanted.values()].flat())].slice(0, PEOPLE_MOST).sort();
    if (users.join(' ') === this.#asked) return;
    this.#asked = users.join(' ');
    this.chat()?.presence(users);
  }
}
