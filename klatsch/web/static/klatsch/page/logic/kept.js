/**
 * What this browser keeps for a person until the server has it: messages and edits that are not sent yet, and drafts. Storage is
 * given. No DOM.
 *
 * Each tab has an outbox under a key of its own, so that tabs do not write over each other. A tab that begins takes over what
 * tabs that have ended left behind. A message keeps its `client_id`, so that it counts once even if two tabs send it.
 */

/**
 * @typedef {object} Entry
 * @property {string} client_id
 * @property {string} [conversation] or
 * @property {string} [to] a username, before there is a conversation
 * @property {string} content
 * @property {string | null} [reply_to]
 * @property {{id: string, position: string, base?: string}} [edits] the message whose text it is to be, as it was seen
 * @property {string} at when it was written
 * @property {{code: string, detail: string} | null} failed why the server refused it for good
 */
/** @typedef {{text: string, replyTo?: string | null}} Draft */
/** @typedef {Pick<Storage, 'getItem' | 'setItem' | 'removeItem' | 'key' | 'length'>} Store */

export class Outbox {
  /** @type {Map<string, Entry>} In their order. */
  #entries = new Map();

  /**
   * @param {Store} storage
   * @param {string} prefix of its keys: `placesOf`
   * @param {string} tab
   * @param {() => void} [onchange]
   */
  constructor(storage, prefix, tab, onchange = () => {}) {
    this.storage = storage;
    this.prefix = prefix;
    this.tab = tab;
    this.onchange = onchange;
  }

  get entries() {
    return [...this.#entries.values()];
  }

  /** @param {string} client_id */
  get(client_id) {
    return this.#entries.get(client_id);
  }

  /** @param {Entry} entry */
  add(entry) {
    this.#entries.set(entry.client_id, entry);
    this.#changed();
  }

  /** The server has it, or the person has taken it back. @param {string} client_id */
  remove(client_id) {
    if (this.#entries.delete(client_id)) this.#changed();
  }

  /** @param {string} client_id @param {{code: string, detail: string}} reason */
  fail(client_id, reason) {
    const entry = this.#entries.get(client_id);
    if (!entry) return;
    this.#entries.set(client_id, { ...entry, failed: reason });
    this.#changed();
  }

  /**
   * Takes over what ended tabs left.
   * @param {string[]} alive the tabs that run
   * @returns {Entry[]} what is new here
   */
  adopt(alive) {
    const left = keysOf(this.storage, this.prefix).filter((key) => ![...alive, this.tab].includes(key.slice(this.prefix.length)));
    /** @type {Entry[]} */
    const entries = left.flatMap((key) => read(this.storage, key) ?? []).filter(({ client_id }) => !this.#entries.has(client_id));
    if (entries.length > 0) this.#entries = new Map([...entries, ...this.entries].map((entry) => [entry.client_id, entry]));
    for (const key of left) this.storage.removeItem(key);
    if (entries.length > 0) this.#changed();
    return entries;
  }

  #changed() {
    const key = this.prefix + this.tab;
    if (this.#entries.size === 0) this.storage.removeItem(key);
    else write(this.storage, key, this.entries);
    this.onchange();
  }
}

export class Drafts {
  /** @param {Store} storage @param {string} prefix of its keys: `placesOf` */
  constructor(storage, prefix) {
    this.storage = storage;
    this.prefix = prefix;
  }

  /** @param {string} conversation @returns {Draft} */
  get(conversation) {
    return read(this.storage, this.keyOf(conversation)) ?? { text: '' };
  }

  /** The key under which a draft is kept. @param {string} conversation */
  keyOf(conversation) {
    return this.prefix + conversation;
  }

  /** @param {string} conversation @param {Draft} draft an empty one is forgotten */
  set(conversation, draft) {
    const key = this.keyOf(conversation);
    if (draft.text.trim() === '' && !draft.replyTo) this.storage.removeItem(key);
    else write(this.storage, key, draft);
  }
}

/**
 * Gives the beginnings of the keys under which a person's things are kept. A username may have dots and never a slash, so that no keys of
 * `ana` begin as those of `ana.smith` do.
 * @param {string} user
 */
export function placesOf(user) {
  return { outbox: `klatsch.outbox.${user}/`, drafts: `klatsch.draft.${user}/` };
}

/** Removes all that is kept for a person. @param {Store} storage @param {string} user */
export function forgetKept(storage, user) {
  const keys = Object.values(placesOf(user)).flatMap((place) => keysOf(storage, place));
  for (const key of keys) storage.removeItem(key);
}

/** @param {Store} storage @param {string} prefix */
export function keysOf(storage, prefix) {
  const keys = Array.from({ length: storage.length }, (_, i) => storage.key(i) ?? '');
  return keys.filter((key) => key.startsWith(prefix));
}

/** @param {Store} storage @param {string} key */
function read(storage, key) {
  try {
    return JSON.parse(storage.getItem(key) ?? 'null');
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return null; // written by something else
  }
}

/** @param {Store} storage @param {string} key @param {unknown} value */
function write(storage, key, value) {
  storage.setItem(key, JSON.stringify(value));
}
