/** What is shown of answers that come when nobody waits for them any more. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from './page.mjs';

/** As much of an element as is filled. */
class Element {
  isConnected = true;
  shown = [];

  append() {}
  setAttribute() {}
  removeAttribute() {}
  addEventListener() {}

  replaceChildren(...children) {
    this.shown = children;
  }
}
Object.assign(globalThis, {
  HTMLElement: Element,
  Node: Element,
  document: { createElement: () => new Element() },
  location: { hash: '#/c/1' },
  customElements: { define() {} },
  dispatchEvent() {},
});

const { ApiError } = await load('api.js');
const { fillLoaded, use } = await load('loading.js');

/** An answer that comes when the test says so. */
function late() {
  let [come, fail] = [() => {}, () => {}];
  const coming = new Promise((resolve, reject) => ([come, fail] = [resolve, reject]));
  return { load: () => coming, come, fail: () => fail(new ApiError({ status: 0, code: 'unreachable' })) };
}

const show = (text) => [text];

test('of two answers for one place the one that was asked for last is shown, whichever comes last', async () => {
  for (const end of ['come', 'fail']) {
    const element = new Element();
    const [first, second] = [late(), late()];
    const filling = [first, second].map(({ load: loading }) => fillLoaded(element, loading, show));
    second.come('second');
    await filling[1];
    first[end]('first');
    await filling[0];
    assert.deepEqual(element.shown, ['second']);
  }
});

test('an answer for a view that was left shows nothing, and gives the page no title', async () => {
  const element = new Element();
  const answer = late();
  const shown = [];
  const filling = fillLoaded(element, answer.load, (text) => shown.push(text));
  element.isConnected = false;
  answer.come('details');
  await filling;
  assert.deepEqual(shown, []);
});

test('a part of the page that comes when one has gone elsewhere does nothing there', async () => {
  const acted = [];
  for (const [hash, count] of [['#/c/1', 1], ['#/c/2', 1]]) {
    globalThis.location.hash = '#/c/1';
    const module = late();
    const using = use(module.load(), (text) => acted.push(text));
    globalThis.location.hash = hash;
    module.come('dialog');
    await using;
    assert.equal(acted.length, count);
  }
});
