import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressOf } from '../../../klatsch/web/static/klatsch/link.js';

test('a link leads to its view with its proof', () => {
  assert.equal(addressOf('reset', '#uid=0a-1&token=d0n7-5f'), './#/reset/0a-1/d0n7-5f');
});

test('a link without its proof leads to the view, which says so', () => {
  assert.equal(addressOf('confirm', ''), './#/confirm');
  assert.equal(addressOf('confirm', '#token='), './#/confirm');
});

test('what is written into a link stays one part of the address', () => {
  assert.equal(addressOf('reset', '#uid=a/b&token=%23%3F'), './#/reset/a%2Fb/%23%3F');
  assert.equal(addressOf('reset', '#uid=javascript:x&token=t'), './#/reset/javascript%3Ax/t');
});
