/** Which words of a text are shown as found. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from './page.mjs';

const { phrasesOf, piecesOf } = await load('logic/found.js');

/** The text with its found parts in brackets. */
const marked = (text, asked) => piecesOf(text, phrasesOf(asked)).map(({ text: piece, isFound }) => (isFound ? `[${piece}]` : piece)).join('');

test('words are found in any case, whole, and wherever they stand', () => {
  assert.equal(marked('Tea? No TEA, a teapot', 'tea'), '[Tea]? No [TEA], a teapot');
  assert.equal(marked('grüner Tee, GRÜN', 'grün tee'), 'grüner [Tee], [GRÜN]');
  assert.equal(marked('हिन्दी में चाय', 'चाय'), 'हिन्दी में [चाय]');
  assert.equal(marked('nothing of it', 'tea'), 'nothing of it');
  assert.equal(marked('', 'tea'), '');
});

test('a phrase is found only as it stands, and what joins words is part of one', () => {
  assert.equal(marked('tea at four, four at tea', '"tea at"'), '[tea at] four, four at tea');
  assert.equal(marked('by e-mail, e mail or mail', 'e-mail'), 'by [e-mail], [e mail] or mail');
  assert.equal(marked('a well-known well', 'known'), 'a well-[known] well');
  assert.equal(marked('tea tea time', 'tea "tea time"'), '[tea] [tea time]');
  assert.equal(marked('tea at four', '"tea at'), '[tea at] four');
});

test('what is not asked for is not marked: what must not be there, and the word between alternatives', () => {
  assert.equal(marked('tea or coffee, no cocoa', 'tea OR coffee -cocoa -"or coffee"'), '[tea] or [coffee], no cocoa');
  assert.deepEqual(phrasesOf(' - !!! "" or'), []);
});

test('signs of patterns are no pattern', () => {
  assert.equal(marked('c++ (a.b) $1', 'c++ (a.b) $1'), '[c]++ ([a.b]) $[1]');
});

test('a long text begins shortly before what is found, at a word', () => {
  const far = `${'word 🙂 '.repeat(40)}tea and more`;
  const [lead, found, rest] = piecesOf(far, phrasesOf('tea'));
  assert.ok(lead.text.startsWith('…word') && lead.text.length <= 62, lead.text);
  assert.deepEqual([found.text, rest.text], ['tea', ' and more']);
  assert.equal(marked(`${'x'.repeat(200)} tea`, 'tea'), '…[tea]');
  assert.ok(!piecesOf(`${'word '.repeat(20)}tea`, phrasesOf('tea'))[0].text.startsWith('…'));
});

test('the work grows with the length of a text, and not with its square', () => {
  const begun = performance.now();
  marked('a '.repeat(100_000), `"${'a '.repeat(90)}b"`);
  assert.ok(performance.now() - begun < 5_000);
});
