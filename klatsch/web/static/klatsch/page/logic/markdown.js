/**
 * What a message's text shows as: a small Markdown, parsed into plain objects. The text itself stays as it was typed. No DOM.
 *
 * Blocks: code between lines of ```, quotes (`> `), lists (`- `, `* `, `1. `), paragraphs. Within a line: `code`, **bold**, *italic*,
 * _italic_, addresses that begin with http:// or https://, and @mentions of those who were mentioned.
 *
 * Others write the text, and a page parses each message that it shows: the work grows with the length of the text, and never with its
 * square, or a text of 4,000 chosen characters would stop the page.
 */

/**
 * @typedef {{type: 'text', text: string} | {type: 'code', text: string} | {type: 'link', text: string, href: string}
 *   | {type: 'mention', text: string, user: string} | {type: 'bold' | 'italic', children: Inline[]}} Inline
 */
/**
 * @typedef {{type: 'paragraph' | 'quote', children: Inline[]} | {type: 'code', text: string}
 *   | {type: 'list', start: number | null, items: Inline[][]}} Block
 */

const DEPTH_MOST = 4;
const NAME_MOST = 64; // characters of a username
const FENCE = /^ {0,3}```/;
const QUOTE = /^ {0,3}> ?/;
const BULLET = /^ {0,3}[-*•] +(?=\S)/;
const NUMBER = /^ {0,3}(\d{1,9})[.)] +(?=\S)/;
const ADDRESS = /https?:\/\/[^\s<>"`]+/y;
const MENTION = /@([\p{L}\p{N}_][\p{L}\p{N}_.-]*)/uy;
const WORD = /[\p{L}\p{N}_]/u;
const BEFORE_ADDRESS = /[\p{L}\p{N}_/@]/u;

/**
 * @param {string} text
 * @param {string[]} [mentions] the usernames that count as mentioned
 * @returns {Block[]}
 */
export function parseText(text, mentions = []) {
  const lines = text.split(/\r\n|\r|\n/);
  const users = new Map(mentions.map((name) => [name.toLowerCase(), name]));
  /** @type {Block[]} */
  const blocks = [];
  for (let at = 0; at < lines.length; ) {
    const [block, next] = readCode(lines, at) ?? readQuote(lines, at, users) ?? readList(lines, at, users) ?? readParagraph(lines, at, users);
    if (block) blocks.push(block);
    at = next;
  }
  return blocks;
}

/** @typedef {[Block | null, number]} Read a block, and the line behind it */

/** @param {string[]} lines @param {number} at @returns {Read | null} */
function readCode(lines, at) {
  if (!FENCE.test(lines[at])) return null;
  const code = takeWhile(lines, at + 1, (line) => !FENCE.test(line));
  const end = at + 1 + code.length;
  if (end === lines.length) return null; // not closed: it is what was typed
  return [{ type: 'code', text: code.join('\n') }, end + 1];
}

/** @param {string[]} lines @param {number} at @param {Map<string, string>} users @returns {Read | null} */
function readQuote(lines, at, users) {
  const quoted = takeWhile(lines, at, (line) => QUOTE.test(line));
  if (quoted.length === 0) return null;
  const text = quoted.map((line) => line.replace(QUOTE, '')).join('\n');
  return [{ type: 'quote', children: parseInline(text, users) }, at + quoted.length];
}

/** @param {string[]} lines @param {number} at @param {Map<string, string>} users @returns {Read | null} */
function readList(lines, at, users) {
  const pattern = [BULLET, NUMBER].find((one) => one.test(lines[at]));
  if (!pattern) return null;
  const found = takeWhile(lines, at, (line) => pattern.test(line));
  const start = pattern === NUMBER ? Number(NUMBER.exec(lines[at])?.[1]) : null;
  return [{ type: 'list', start, items: found.map((line) => parseInline(line.replace(pattern, ''), users)) }, at + found.length];
}

/** @param {string[]} lines @param {number} at @param {Map<string, string>} users @returns {Read} */
function readParagraph(lines, at, users) {
  const begins = (/** @type {string} */ line) => QUOTE.test(line) || BULLET.test(line) || NUMBER.test(line) || FENCE.test(line);
  const rest = takeWhile(lines, at + 1, (line) => !begins(line));
  const text = [lines[at], ...rest].join('\n').replace(/^\n+/, '').trimEnd();
  return [text === '' ? null : { type: 'paragraph', children: parseInline(text, users) }, at + 1 + rest.length];
}

/** @param {string[]} lines @param {number} at @param {(line: string) => boolean} fits */
function takeWhile(lines, at, fits) {
  let end = at;
  while (end < lines.length && fits(lines[end])) end += 1;
  return lines.slice(at, end);
}

/**
 * A text whose inline parts are read, and what was found out about it on the way from its beginning to its end.
 * @typedef {object} Scan
 * @property {string} text
 * @property {Map<string, string>} users by name in lower case
 * @property {number} depth
 * @property {Set<string>} unclosed signs that nothing closes from here on: to look again at each of them would be quadratic
 * @property {number} noAddressBefore the end of what looked like an address and is none
 */
/** @typedef {{inline: Inline, end: number} | null} Hit */

/**
 * @param {string} text
 * @param {Map<string, string>} users by name in lower case
 * @param {number} [depth]
 * @returns {Inline[]}
 */
function parseInline(text, users, depth = 0) {
  /** @type {Scan} */
  const scan = { text, users, depth, unclosed: new Set(), noAddressBefore: 0 };
  /** @type {Inline[]} */
  const found = [];
  let plainFrom = 0;
  for (let at = 0; at < text.length; ) {
    const hit = readInline(scan, at);
    if (hit) {
      if (plainFrom < at) found.push({ type: 'text', text: text.slice(plainFrom, at) });
      found.push(hit.inline);
      at = plainFrom = hit.end;
    } else at += 1;
  }
  if (plainFrom < text.length) found.push({ type: 'text', text: text.slice(plainFrom) });
  return found;
}

/** @param {Scan} scan @param {number} at @returns {Hit} */
function readInline(scan, at) {
  switch (scan.text[at]) {
    case '`':
      return readSpan(scan.text, at);
    case '*':
    case '_':
      return scan.depth < DEPTH_MOST ? readEmphasis(scan, at) : null;
    case 'h':
      return readAddress(scan, at);
    case '@':
      return readMention(scan, at);
    default:
      return null;
  }
}

/** @param {string} text @param {number} at @returns {Hit} */
function readSpan(text, at) {
  const end = text.indexOf('`', at + 1);
  const inside = text.slice(at + 1, end);
  if (end < at + 2 || inside.includes('\n')) return null;
  return { inline: { type: 'code', text: inside }, end: end + 1 };
}

/** @param {Scan} scan @param {number} at @returns {Hit} */
function readEmphasis({ text, users, depth, unclosed }, at) {
  const sign = text.startsWith('**', at) ? '**' : text[at];
  const from = at + sign.length;
  if (unclosed.has(sign)) return null;
  if (sign !== '**' && WORD.test(text[at - 1] ?? ' ')) return null; // snake_case, 2*3*4
  if (!/\S/.test(text[from] ?? ' ') || text[from] === sign[0]) return null;
  for (let end = text.indexOf(sign, from + 1); end > 0; end = text.indexOf(sign, end + 1)) {
    const after = text[end + sign.length] ?? ' ';
    const isEnd = /\S/.test(text[end - 1]) && after !== sign[0] && (sign === '**' || !WORD.test(after));
    if (!isEnd) continue;
    const children = parseInline(text.slice(from, end), users, depth + 1);
    return { inline: { type: sign === '**' ? 'bold' : 'italic', children }, end: end + sign.length };
  }
  unclosed.add(sign);
  return null;
}

/** @param {Scan} scan @param {number} at @returns {Hit} */
function readAddress(scan, at) {
  const { text } = scan;
  if (at < scan.noAddressBefore || BEFORE_ADDRESS.test(text[at - 1] ?? ' ')) return null;
  ADDRESS.lastIndex = at;
  const whole = ADDRESS.exec(text)?.[0] ?? '';
  const found = withoutTail(whole);
  const url = URL.canParse(found) ? new URL(found) : null;
  if (url && url.username + url.password === '') return { inline: { type: 'link', text: found, href: url.href }, end: at + found.length };
  scan.noAddressBefore = at + whole.length; // none, or one that misleads: https://bank.example@evil.example
  return null;
}

/** An address without what belongs to the sentence around it. @param {string} address */
function withoutTail(address) {
  let unopened = 0; // closing brackets beyond the opening ones
  for (const sign of address) unopened += sign === ')' ? 1 : sign === '(' ? -1 : 0;
  let end = address.length;
  for (; end > 0; end -= 1) {
    const last = address[end - 1];
    if (last === ')' && unopened > 0) unopened -= 1;
    else if (!/[.,;:!?'*_\]}]/.test(last)) break;
  }
  return address.slice(0, end);
}

/** The longest name that was mentioned: of `@bob.` that is `bob.`, or else `bob`. @param {Scan} scan @param {number} at @returns {Hit} */
function readMention({ text, users }, at) {
  if (BEFORE_ADDRESS.test(text[at - 1] ?? ' ')) return null;
  MENTION.lastIndex = at;
  const name = MENTION.exec(text)?.[1] ?? '';
  for (let end = name.length; end > 0; end -= 1) {
    const user = end <= NAME_MOST && users.get(name.slice(0, end).toLowerCase());
    if (user) return { inline: { type: 'mention', text: `@${name.slice(0, end)}`, user }, end: at + 1 + end };
    if (!'.-'.includes(name[end - 1])) return null;
  }
  return null;
}

/**
 * The text in one line, without its signs: for previews and notifications.
 * @param {string} text
 */
export function plainLine(text) {
  /** @param {Inline[]} children @returns {string} */
  const flat = (children) => children.map((one) => ('children' in one ? flat(one.children) : one.text)).join('');
  const parts = parseText(text).map((block) => (block.type === 'code' ? block.text : block.type === 'list' ? block.items.map(flat).join(', ') : flat(block.children)));
  return parts.join(' ').replace(/\s+/g, ' ').trim();
}
