import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from './page.mjs';

const { sendable } = await load('logic/sendable.js');

test('what other programs put between lines is sent as line ends', () => {
  assert.equal(sendable('one\vtwo\fthree\u0085four\r\n\tfive'), 'one\ntwo\nthree\nfour\r\n\tfive');
});

test('characters that the server refuses are left out, and half an emoji is replaced', () => {
  assert.equal(sendable(' a\u001b[1mb\u009b\u007f\0 \ud83d\ude00 \ud83d '), 'a[1mb \ud83d\ude00 \ufffd');
});
