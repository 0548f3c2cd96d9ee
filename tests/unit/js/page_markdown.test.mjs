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

test('a text of nothing but signs is parsed in a moment', () => {
  for (const text of ['*'.repeat(4000), '**a'.repeat(1300), '`'.repeat(4000), '_a '.repeat(1300), 'http://'.repeat(570), '> '.repeat(2000), '@a.'.repeat(1300)]) {
    const began = performance.now();
    parseText(text, ['a']);
    assert.ok(performance.now() - began < 500, text.slice(0, 9));
  }
});

test('a preview is one line without signs', () => {
  assert.equal(plainLine('**Hello**\n> you\n- a\n- b\n```\ncode\n```'), 'Hello you a, b code');
});

// Ten times the longest message. What takes the square of its length takes seconds, and all else some milliseconds.
const LONG = 40_000;
const SOON_MS = 400;
const fill = (begin, rest) => (begin + rest.repeat(LONG)).slice(0, LONG);

/** How long it takes to parse a text and to make a line of it, in milliseconds. */
function timeOf(text) {
  const began = performance.now();
  parseText(text, ['bob', 'bob.']);
  plainLine(text);
  return performance.now() - began;
}

test('4,000 closing brackets behind an address are parsed quickly', () => {
  assert.deepEqual(inline(`http://a.example/${')'.repeat(3_900)}`), [['a', 'http://a.example/'], ')'.repeat(3_900)]);
  assert.deepEqual(inline('http://a.example/(b))).).'), [['a', 'http://a.example/(b)'], ')).).']);
  const ms = timeOf(fill('http://a', ')'));
  assert.ok(ms < SOON_MS, `${ms} ms`);
});

for (const [name, text] of Object.entries({
  'signs of italic text that nothing closes': fill('', ' *a'),
  'underscores that nothing closes': fill('', ' _a'),
  'signs of bold text that nothing closes': fill('', ' **a'),
  'signs of all kinds that nothing closes': fill('', ' *a _b **c'),
  'emphasis in emphasis': '*x **y _z '.repeat(2_000) + 'z_ y** x* '.repeat(2_000),
  'emphasis that is closed at the other end': ' *x'.repeat(6_666) + 'y* '.repeat(6_666),
  'runs of stars': fill('a ', '*'),
  'stars behind a word': fill('**a ', '*'),
  'underscores in a word': fill('_a', '_b'),
  'backticks': fill('', '`'),
  'backticks in lines of their own': fill('', '`a\n'),
  'blocks of code': fill('', '```\na\n'),
  'lines of code that are not closed': fill('```\n', 'a\n'),
  'quotes': fill('', '> a\n\n'),
  'quotes of quotes': fill('', '>'),
  'lists': fill('', '- a\n1. b\n'),
  'spaces in the middle': `a${' '.repeat(LONG)}b`,
  'spaces in a list': `- a\n- ${' '.repeat(LONG)}`,
  'line ends in the middle': `a${'\n'.repeat(LONG)}b`,
  'addresses': fill('', 'http://a.b '),
  'addresses that are none': fill('', 'http://)'),
  'addresses with a name in them': fill('', 'http://a@b('),
  'a mention with many full stops': fill('@bob', '.'),
  'a mention of many words': fill('@', 'bob.'),
  'mentions': fill('', '@bob.'),
})) {
  test(`a long text is parsed quickly: ${name}`, () => {
    const ms = timeOf(text);
    assert.ok(ms < SOON_MS, `${ms} ms`);
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
