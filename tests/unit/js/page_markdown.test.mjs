import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from './page.mjs';

const { parseText, plainLine } = await load('logic/markdown.js');

/** The inline parts of a text of one paragraph, in short: b for bold, i for italic, c for code, a for an address, @ for a mention. */
function inline(text, mentions) {
  const shorten = (part) => {
    if (part.type === 'text') return part.text;
    if (part.children) return [part.type[0], ...part.children.map(shorten)];
    return [{ code: 'c', link: 'a', mention: '@' }[part.type], part.type === 'link' ? part.href : part.text];
  };
  const [block, ...more] = parseText(text, mentions);
  assert.deepEqual([block.type, more], ['paragraph', []]);
  return block.children.map(shorten);
}

test('bold, italic and code are found, and nested', () => {
  assert.deepEqual(inline('a **b** *c* _d_ `e*f*`'), ['a ', ['b', 'b'], ' ', ['i', 'c'], ' ', ['i', 'd'], ' ', ['c', 'e*f*']]);
  assert.deepEqual(inline('**a *b* c**'), [['b', 'a ', ['i', 'b'], ' c']]);
});

test('signs that are no pair stay as they were typed', () => {
  for (const text of ['2 * 3 * 4', '2*3*4', 'snake_case_name', '**', '***', '* a', '`', '``', 'a ** b', '_ a _', '*a', 'a*', '`a\nb`']) {
    const block = parseText(text)[0];
    const children = block.type === 'list' ? block.items[0] : block.children;
    assert.ok(children.every((part) => part.type === 'text'), text);
  }
});

test('addresses are linked without the end of the sentence around them', () => {
  assert.deepEqual(inline('see https://a.example/b?c=d#e.'), ['see ', ['a', 'https://a.example/b?c=d#e'], '.']);
  assert.deepEqual(inline('(https://a.example/b_(c))'), ['(', ['a', 'https://a.example/b_(c)'], ')']);
  assert.deepEqual(inline('**https://a.example**'), [['b', ['a', 'https://a.example/']]]);
});

test('only http and https are linked, and no address that shows another host than it leads to', () => {
  for (const text of ['javascript:alert(1)', 'data:text/html,x', 'file:///etc/passwd', 'https://bank.example@evil.example/', 'https://:bank.example@evil.example/', 'http://', 'xhttp://a.example']) {
    assert.deepEqual(inline(text), [text]);
  }
});

test('a mention is the longest name that was mentioned, in any case', () => {
  assert.deepEqual(inline('@bob. @BOB @bobby a@bob @carol', ['bob']), [['@', '@bob'], '. ', ['@', '@BOB'], ' @bobby a@bob @carol']);
  assert.deepEqual(inline('@bob.', ['bob.']), [['@', '@bob.']]);
});

test('quotes, lists and closed code are blocks, and the rest are paragraphs with their lines', () => {
  const text = 'first\nsecond\n> q1\n> q2\n- a\n- **b**\n3. c\n4) d\n```js\nx *y*\n\n```\nlast';
  assert.deepEqual(parseText(text).map(({ type }) => type), ['paragraph', 'quote', 'list', 'list', 'code', 'paragraph']);
  const [first, quote, bullets, numbers, code] = parseText(text);
  assert.equal(first.children[0].text, 'first\nsecond');
  assert.equal(quote.children[0].text, 'q1\nq2');
  assert.deepEqual([bullets.start, bullets.items.length], [null, 2]);
  assert.deepEqual([numbers.start, numbers.items.length], [3, 2]);
  assert.equal(code.text, 'x *y*\n');
  assert.deepEqual(parseText('```\nopen').map(({ type }) => type), ['paragraph']);
});

test('every character of a plain text is shown', () => {
  for (const text of ['a', '<script>alert(1)</script>', '&amp;', 'a\n\nb', '👩‍👩‍👧 x', '‮abc']) {
    assert.equal(parseText(text).map((block) => block.children.map((part) => part.text).join('')).join(''), text);
  }
});

test('a preview is one line without signs', () => {
  assert.equal(plainLine('**Hello**\n> you\n- a\n- b\n```\ncode\n```'), 'Hello you a, b code');
});

test('of many closing brackets behind an address those belong to it that close what it has opened', () => {
  assert.deepEqual(inline(`http://a.example/${')'.repeat(3_900)}`), [['a', 'http://a.example/'], ')'.repeat(3_900)]);
  assert.deepEqual(inline('http://a.example/(b))).).'), [['a', 'http://a.example/(b)'], ')).).']);
});

const SHORT = 1_000;
const LONG = 8 * SHORT; // twice the longest message
const RATIO_MOST = 24; // 64 where each character is compared with each
const TIMES = 100;
const TRIED_MS = 5_000; // what takes so long is slow, and is not tried again

/** The time that it takes to parse a text and to make a line of it, in milliseconds. */
function timeOf(text) {
  const began = performance.now();
  parseText(text, ['a', 'bob', 'bob.']);
  plainLine(text);
  return performance.now() - began;
}

/** The least of several times, as a busy machine adds to most; no more are taken once one is short enough. */
function leastTimeOf(text, enoughMs = 0) {
  const began = performance.now();
  let leastMs = Infinity;
  for (let time = 0; time < TIMES && leastMs >= enoughMs && performance.now() - began < TRIED_MS; time += 1) leastMs = Math.min(leastMs, timeOf(text));
  return leastMs;
}

/** Makes a text of a length that begins so and repeats the rest. */
const filled = (begin, rest) => (length) => (begin + rest.repeat(length)).slice(0, length);

for (const [name, make] of Object.entries({
  'signs of italic text that nothing closes': filled('', ' *a'),
  'underscores that nothing closes': filled('', ' _a'),
  'underscores that nothing closes, at the beginning': filled('', '_a '),
  'signs of bold text that nothing closes': filled('', ' **a'),
  'signs of all kinds that nothing closes': filled('', ' *a _b **c'),
  'emphasis in emphasis': (length) => '*x **y _z '.repeat(length / 20) + 'z_ y** x* '.repeat(length / 20),
  'emphasis that is closed at the other end': (length) => ' *x'.repeat(length / 6) + 'y* '.repeat(length / 6),
  'runs of stars': filled('a ', '*'),
  'nothing but stars': filled('', '*'),
  'stars between words': filled('', '**a'),
  'stars behind a word': filled('**a ', '*'),
  'underscores in a word': filled('_a', '_b'),
  'backticks': filled('', '`'),
  'backticks in lines of their own': filled('', '`a\n'),
  'blocks of code': filled('', '```\na\n'),
  'lines of code that are not closed': filled('```\n', 'a\n'),
  'quotes': filled('', '> a\n\n'),
  'quotes of quotes': filled('', '>'),
  'quotes of quotes with spaces': filled('', '> '),
  'lists': filled('', '- a\n1. b\n'),
  'spaces in the middle': (length) => `a${' '.repeat(length)}b`,
  'spaces in a list': (length) => `- a\n- ${' '.repeat(length)}`,
  'line ends in the middle': (length) => `a${'\n'.repeat(length)}b`,
  'addresses': filled('', 'http://a.b '),
  'addresses that are none': filled('', 'http://)'),
  'addresses without a host': filled('', 'http://'),
  'addresses with a name in them': filled('', 'http://a@b('),
  'closing brackets behind an address': filled('http://a', ')'),
  'a mention with many full stops': filled('@bob', '.'),
  'a mention of many words': filled('@', 'bob.'),
  'mentions': filled('', '@bob.'),
  'short mentions': filled('', '@a.'),
})) {
  test(`a text of eight times the length takes about eight times as long to parse: ${name}`, () => {
    const shortMs = leastTimeOf(make(SHORT));
    const longMs = leastTimeOf(make(LONG), RATIO_MOST * shortMs);
    assert.ok(longMs < RATIO_MOST * shortMs, `${longMs} ms, and ${shortMs} ms`);
  });
}

test('signs that nothing closes leave what stands behind them as it is', () => {
  assert.deepEqual(inline('_a **b** *c*'), ['_a ', ['b', 'b'], ' ', ['i', 'c']]);
  assert.deepEqual(inline('**a *b* *c*'), ['*', ['i', 'a *b'], ' ', ['i', 'c']]);
  assert.deepEqual(inline('_a *b _c* d_'), [['i', 'a ', ['i', 'b _c'], ' d']]);
});

test('the longest name is mentioned, whatever stands behind it', () => {
  assert.deepEqual(inline('@bob...', ['bob', 'bob.']), [['@', '@bob.'], '..']);
  assert.deepEqual(inline('@bobby @BOB-.', ['bob']), ['@bobby ', ['@', '@BOB'], '-.']);
});
