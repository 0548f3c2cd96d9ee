import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from './page.mjs';

const { Drafts, keysOf, Outbox, placesOf } = await load('logic/kept.js');
const { Lasting, openStorage } = await load('storage.js');

/** A Storage that may be full. */
class Memory {
  #values = new Map();
  isFull = false;

  get length() {
    return this.#values.size;
  }

  key(i) {
    return [...this.#values.keys()][i] ?? null;
  }

  getItem(key) {
    return this.#values.get(key) ?? null;
  }

  setItem(key, value) {
    if (this.isFull) throw new DOMException('full', 'QuotaExceededError');
    this.#values.set(key, value);
  }

  removeItem(key) {
    this.#values.delete(key);
  }
}

const PREFIX = placesOf('ana').outbox;
const entry = (client_id) => ({ client_id, conversation: 'c', content: client_id, at: '2026-11-29T10:00:00Z', failed: null });

test('what is not sent is kept until the server has it', () => {
  const storage = new Memory();
  const outbox = new Outbox(storage, PREFIX, 't1');
  outbox.add(entry('a'));
  outbox.add(entry('b'));
  outbox.remove('a');
  assert.deepEqual(JSON.parse(storage.getItem(`${PREFIX}t1`)).map(({ content }) => content), ['b']);
  outbox.remove('b');
  assert.equal(storage.length, 0);
});

test('a tab takes over what ended tabs left, before its own, and nothing of tabs that run', () => {
  const storage = new Memory();
  new Outbox(storage, PREFIX, 'ended').add(entry('old'));
  new Outbox(storage, PREFIX, 'alive').add(entry('theirs'));
  new Outbox(storage, placesOf('bob').outbox, 'ended').add(entry('of another person'));
  const outbox = new Outbox(storage, PREFIX, 'new');
  outbox.add(entry('own'));
  assert.deepEqual(outbox.adopt(['alive']).map(({ client_id }) => client_id), ['old']);
  assert.deepEqual(outbox.entries.map(({ client_id }) => client_id), ['old', 'own']);
  assert.deepEqual(keysOf(storage, PREFIX), [`${PREFIX}alive`, `${PREFIX}new`]);
  assert.deepEqual(outbox.adopt(['alive']), []);
});

test('what was refused for good says why, and stays', () => {
  const storage = new Memory();
  const outbox = new Outbox(storage, PREFIX, 't1');
  outbox.add(entry('a'));
  outbox.fail('a', { code: 'blocked', detail: 'Blocked.' });
  const next = new Outbox(storage, PREFIX, 't2');
  next.adopt([]);
  assert.equal(next.get('a').failed.code, 'blocked');
});

test('a storage that is full, or holds something else, stops nothing, and the page keeps what it has no room for', () => {
  const storage = new Memory();
  storage.setItem(`${PREFIX}x`, 'not JSON');
  storage.setItem('theme', 'light');
  storage.isFull = true;
  const lasting = new Lasting(storage);
  const outbox = new Outbox(lasting, PREFIX, 't1');
  outbox.adopt([]);
  outbox.add(entry('a'));
  assert.equal(outbox.entries.length, 1);
  const drafts = new Drafts(lasting, placesOf('ana').drafts);
  drafts.set('c', { text: 'half a sen' });
  assert.equal(drafts.get('c').text, 'half a sen');
  lasting.setItem('theme', 'dark');
  assert.equal(lasting.getItem('theme'), 'dark');
  storage.isFull = false;
  drafts.set('c', { text: 'half a sentence' });
  assert.equal(new Drafts(new Lasting(storage), placesOf('ana').drafts).get('c').text, 'half a sentence');
  drafts.set('c', { text: '' });
  lasting.removeItem('theme');
  assert.equal(drafts.get('c').text, '');
  assert.equal(lasting.getItem('theme'), null);
});

test('a browser that forbids its storage gives one that lasts as long as the page', () => {
  const storage = openStorage(() => {
    throw new DOMException('no', 'SecurityError');
  });
  storage.setItem('theme', 'dark');
  assert.equal(storage.getItem('theme'), 'dark');
  assert.equal(storage.length, 1);
});

test('a draft is kept for each conversation, and an empty one is none', () => {
  const storage = new Memory();
  const drafts = new Drafts(storage, placesOf('ana').drafts);
  drafts.set('c1', { text: 'half a sent', replyTo: 'm1' });
  drafts.set('c2', { text: ' \n' });
  assert.deepEqual(drafts.get('c1'), { text: 'half a sent', replyTo: 'm1' });
  assert.deepEqual(drafts.get('c2'), { text: '' });
  drafts.set('c1', { text: '' });
  assert.equal(storage.length, 0);
});
