/** Jumps to a message of a conversation: one that is not loaded, one that does not exist, and one that cannot be had now. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChatError, View } from '../../../clients/js/src/client.js';
import { CONVERSATION, message } from './fake.mjs';
import { load } from './page.mjs';

/** As much of a document as buttons need that nobody sees. */
class Element {
  append() {}
  replaceChildren() {}
  setAttribute() {}
  addEventListener() {}
}
const toasts = [];
Object.assign(globalThis, {
  HTMLElement: Element,
  Node: Element,
  document: { createElement: () => new Element() },
  customElements: { define() {} },
  dispatchEvent: ({ detail }) => toasts.push(detail),
});

const { ApiError, reach } = await load('api.js');
const { History } = await load('history.js');
const { Jumps } = await load('parts/jumps.js');
const { session } = await load('session.js');

const NOT_FOUND = new ChatError('not_found', 'There is no such message.');
const AWAY = new ApiError({ status: 0, code: 'unreachable' });

/** A conversation of 100 messages of which none is loaded; `find` answers for one message, `refuse` throws for pages. */
function open({ find, refuse = () => {} }) {
  toasts.length = 0;
  const rows = Array.from({ length: 100 }, (_, i) => message(100 - i));
  const shown = { revealed: [], renders: 0 };
  const offset = (place) => Number(place.split(':')[2]);
  const archive = {
    message: async (id) => {
      const found = await find(id);
      view.add([found]);
      return found;
    },
    history: async (_id, { limit, older_than, newer_than }) => {
      refuse();
      const fits = rows.filter(({ position }) => (older_than ? offset(position) < offset(older_than) : !newer_than || offset(position) > offset(newer_than)));
      const page = newer_than ? fits.slice(-limit) : fits.slice(0, limit);
      view.add(page);
      return { rows: page, next: page.at(-1) === rows.at(-1) ? null : 'n', previous: page[0] === rows[0] ? null : 'p' };
    },
  };
  const chat = { archive };
  Object.defineProperty(session, 'chat', { get: () => chat, configurable: true });
  const view = new View();
  const history = new History(CONVERSATION, { chat, view, lastPosition: () => null, token: () => null });
  const place = { position: '1:1:40', isIncluded: true };
  const log = { isFollowing: true, newLine: null, reveal: (id) => shown.revealed.push(id), revealNew() {}, toEnd() {} };
  const conversation = { history, reading: { place }, log, render: () => (shown.renders += 1) };
  return { history, shown, conversation, rows, jumps: new Jumps(conversation) };
}

const last = (history) => history.messages.at(-1)?.id;

test('a link to a message that does not exist shows the end of the conversation', async () => {
  const { history, jumps } = open({ find: () => Promise.reject(NOT_FOUND) });
  await jumps.load('m999');
  assert.deepEqual([history.isLoaded, last(history), toasts], [true, 'm100', ['This message cannot be found.']]);
});

test('a message that is not loaded is loaded with what is around it', async () => {
  const { history, shown, jumps } = open({ find: () => message(40) });
  await jumps.to('m40');
  assert.deepEqual([history.has('1:1:40'), last(history), shown.revealed, toasts], [true, 'm65', ['m40'], []]);
});

test('a message that cannot be had now is said to be so, and where one opens a conversation by its link that is told', async () => {
  for (const error of [AWAY, new ChatError('unavailable', '', { temporary: true })]) {
    const { history, jumps } = open({ find: () => Promise.reject(error) });
    await assert.rejects(jumps.load('m40'), error);
    assert.deepEqual([history.isLoaded, toasts], [false, []]);
    await history.loadNewest();
    await jumps.to('m40');
    assert.deepEqual([last(history), toasts], ['m100', ['The server cannot be reached. Check your network, then try again.']]);
  }
});

test('where neither the message nor the end of the conversation can be had, that is told', async () => {
  const { jumps } = open({ find: () => Promise.reject(NOT_FOUND), refuse: () => { throw AWAY; } });
  await assert.rejects(jumps.load('m999'), AWAY);
});

test('to the end leads from a conversation of which nothing is loaded', async () => {
  const { history, jumps } = open({ find: () => message(40) });
  await jumps.toEnd();
  assert.equal(last(history), 'm100');
});

test('who has left the conversation is not told of a message that it does not have', async () => {
  const { jumps, conversation } = open({ find: () => Promise.reject(NOT_FOUND) });
  const going = jumps.load('m999');
  conversation.history = null;
  await going;
  assert.deepEqual(toasts, []);
});

test('a jump that a later one has overtaken leads nowhere, and what is written meanwhile stays in sight', async () => {
  const later = { to: (jumps) => jumps.to('m90'), toEnd: (jumps) => jumps.toEnd(), toFirstNew: (jumps) => jumps.toFirstNew() };
  for (const [name, jump] of Object.entries(later)) {
    for (const answer of [() => message(10), () => { throw NOT_FOUND; }, () => { throw AWAY; }]) {
      let come = () => {};
      const coming = new Promise((resolve) => (come = resolve));
      const { jumps, history, shown } = open({ find: (id) => (id === 'm10' ? coming.then(answer) : message(90)) });
      await history.loadNewest();
      const first = jumps.to('m10');
      await jump(jumps);
      const before = [last(history), shown.revealed.length, shown.renders];
      come();
      await first;
      assert.deepEqual([last(history), shown.revealed.length, shown.renders], before, name);
      assert.deepEqual(toasts, [], name);
    }
  }
});

const FAULT = new TypeError('undefined is not a function');
const jumpsOf = { to: (jumps) => jumps.to('m40'), toEnd: (jumps) => jumps.toEnd(), toFirstNew: (jumps) => jumps.toFirstNew() };

for (const [name, jump] of Object.entries(jumpsOf)) {
  test(`a jump that fails is told in the conversation where it began, and not in the next one: ${name}`, async () => {
    for (const [isLeft, told] of [[false, 1], [true, 0]]) {
      const { jumps, conversation, shown } = open({ find: () => message(40), refuse: () => { throw AWAY; } });
      const going = jump(jumps);
      if (isLeft) conversation.history = {};
      await going;
      assert.deepEqual([toasts.length, shown.renders], [told, told]);
    }
  });

  test(`a fault of the page is not taken for a lost network: ${name}`, async () => {
    const { jumps } = open({ find: () => message(40), refuse: () => { throw FAULT; } });
    await assert.rejects(jump(jumps), FAULT);
    assert.deepEqual(toasts, []);
  });
}

test('a request without an answer is told from a fault of the page', async () => {
  const { fetch } = globalThis;
  globalThis.fetch = () => Promise.reject(new TypeError('Failed to fetch'));
  await assert.rejects(reach('https://chat.test/'), (error) => error instanceof ApiError && error.isTemporary && /Failed to fetch/.test(error.message));
  globalThis.fetch = fetch;
});

test('a message beyond what was pushed is shown with all before it: without a socket nothing is pushed', async () => {
  const { history, jumps, rows } = open({ find: () => message(105) });
  await history.loadNewest();
  rows.unshift(...[105, 104, 103, 102, 101].map((offset) => message(offset)));
  await jumps.load('m105');
  assert.deepEqual(history.messages.slice(-7).map(({ id }) => id), [99, 100, 101, 102, 103, 104, 105].map((offset) => `m${offset}`));
});
