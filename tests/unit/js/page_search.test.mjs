/** A search of messages, page by page. */

import assert from 'node:assert/strict';
import { beforeEach, mock, test } from 'node:test';
import { CONVERSATION, message } from './fake.mjs';
import { load } from './page.mjs';

const { Search } = await load('search.js');

let store;
let left;
/** What is answered in turn: a page, or a problem with its `status`. */
let answers;
let asked;

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ['Date'] });
  [left, answers, asked] = [new Set(), [], []];
  store = {
    me: { username: 'ana' }, tally: { hasLeft: (id) => left.has(id) },
    conversations: new Map([[CONVERSATION, { title: 'Choir' }]]), nameOf: ({ title }) => title,
  };
  const fetch = async (/** @type {URL} */ url) => {
    asked.push(url.pathname.replace('/api/v1/', '') + url.search);
    const body = answers.shift();
    return new Response(JSON.stringify(body), { status: body.status ?? 200 });
  };
  for (const [name, value] of Object.entries({ fetch, document: { baseURI: 'https://chat.test/', cookie: '' } })) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
});

const page = (offsets, cursor = null) => ({
  results: offsets.map((offset) => message(offset)), next: cursor && `http://inside:8000/api/v1/search?q=tea&limit=20&cursor=${cursor}`,
});
const ids = (search) => search.found.map(({ id }) => id);

test('pages follow each other by the cursor, and one that is asked for twice at once is there once', async () => {
  answers = [page([9, 8], 'x'), page([7])];
  const search = new Search('tea & cake', store);
  await search.more();
  assert.deepEqual([ids(search), search.next !== null], [['m9', 'm8'], true]);
  await Promise.all([search.more(), search.more()]);
  assert.deepEqual([ids(search), search.next], [['m9', 'm8', 'm7'], null]);
  await search.more();
  assert.deepEqual(asked, ['search?q=tea+%26+cake&limit=20', 'search?q=tea&limit=20&cursor=x']);
});

test('pages without results are passed over, but not without end', async () => {
  answers = [page([], 'a'), page([], 'b'), page([3], 'c')];
  const search = new Search('tea', store);
  await search.more();
  assert.deepEqual(ids(search), ['m3']);
  answers = [page([], 'd'), page([], 'e'), page([], 'f'), page([1])];
  await search.more();
  assert.deepEqual([ids(search), answers.length], [['m3'], 1]);
  await search.more();
  assert.deepEqual([ids(search), search.next], [['m3', 'm1'], null]);
});

test('a refusal is told, and the next try goes on from there', async () => {
  answers = [{ status: 503, code: 'unavailable' }, page([2], 'a'), { status: 429, code: 'rate_limited' }, page([1])];
  const search = new Search('tea', store);
  await assert.rejects(search.more(), { code: 'unavailable' });
  assert.equal(search.hasBegun, false);
  await search.more();
  await assert.rejects(search.more(), { code: 'rate_limited' });
  await search.more();
  assert.deepEqual([ids(search), search.next], [['m2', 'm1'], null]);
});

test('who looks further too fast goes on by hand', async () => {
  answers = [page([], 'a'), { status: 429, code: 'rate_limited' }];
  const search = new Search('tea', store);
  await search.more();
  assert.deepEqual([ids(search), search.hasBegun, search.next !== null], [[], true, true]);
});

test('what is edited, deleted or left meanwhile is shown as it is now', async () => {
  answers = [page([5, 4, 3])];
  const search = new Search('tea', store);
  await search.more();
  const edited = (offset, content) => ({ t: 'message_edited', pos: `1:1:${offset}`, d: { id: 'm4', conversation: CONVERSATION, content, mentions: [], edited_at: '' } });
  search.take(edited(8, 'tea!'));
  search.take(edited(7, 'what was before'));
  search.take({ t: 'message_deleted', pos: '1:1:9', d: { id: 'm3', conversation: CONVERSATION } });
  search.take({ t: 'state', d: { ...message(5, { content: 'replayed', changed: '1:1:10' }), kind: 'message' } });
  search.take({ t: 'state', d: { kind: 'marker', conversation: CONVERSATION, user: 'ana', changed: '1:1:11' } });
  search.take({ t: 'mark', resume: '' });
  assert.deepEqual(search.found.map(({ content }) => content), ['replayed', 'tea!']);
  left.add(CONVERSATION);
  assert.deepEqual(search.found, []);
});

test('a result names its conversation, also one that is not on the loaded part of the list', async () => {
  const elsewhere = { conversation: 'c2', receiver: null };
  answers = [{ results: [message(4), message(3, elsewhere), message(2, elsewhere)], next: null }, { title: 'Band' }];
  const search = new Search('tea', store);
  await search.more();
  const names = () => search.found.map((one) => search.nameOf(one));
  assert.deepEqual(names(), ['Choir', '', '']);
  await search.findTitles();
  assert.deepEqual([names(), asked.at(-1)], [['Choir', 'Band', 'Band'], 'conversations/c2']);
  assert.equal(search.nameOf({ conversation: 'c3', sender: 'ana', receiver: 'bob' }), 'bob');
  assert.equal(search.nameOf({ conversation: 'c3', sender: 'bob', receiver: 'ana' }), 'bob');
});

test('one comes back to a search for a while', () => {
  const search = new Search('tea', store);
  assert.ok(search.isKept);
  mock.timers.tick(11 * 60_000);
  assert.ok(!search.isKept);
});
