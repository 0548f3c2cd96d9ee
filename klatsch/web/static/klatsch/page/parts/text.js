/** A message's text as DOM: elements for the small Markdown, text nodes for all that a person has typed. */

import { el } from '../element.js';
import { parseText } from '../logic/markdown.js';
import { hrefOf } from '../logic/routes.js';

/** @typedef {import('../logic/markdown.js').Inline} Inline */
/** @typedef {import('../logic/markdown.js').Block} Block */

/**
 * @param {string} content
 * @param {{mentions?: string[], me?: string}} [options]
 * @returns {HTMLElement[]}
 */
export function renderText(content, { mentions = [], me = '' } = {}) {
  return parseText(content, mentions).map((block) => renderBlock(block, me));
}

/** @param {Block} block @param {string} me */
function renderBlock(block, me) {
  switch (block.type) {
    case 'code':
      return el('pre', { dir: 'ltr', tabindex: 0 }, el('code', {}, block.text));
    case 'quote':
      return el('blockquote', { dir: 'auto' }, renderInline(block.children, me));
    case 'list': {
      const items = block.items.map((item) => el('li', { dir: 'auto' }, renderInline(item, me)));
      return block.start === null ? el('ul', {}, items) : el('ol', { start: block.start }, items);
    }
    default:
      return el('p', { dir: 'auto' }, renderInline(block.children, me));
  }
}

/** @param {Inline[]} children @param {string} me @returns {(Node | string)[]} */
function renderInline(children, me) {
  return children.map((part) => {
    switch (part.type) {
      case 'bold':
        return el('strong', {}, renderInline(part.children, me));
      case 'italic':
        return el('em', {}, renderInline(part.children, me));
      case 'code':
        return el('code', {}, part.text);
      case 'link': // only http and https come from the parser
        return el('a', { href: part.href, target: '_blank', rel: 'noopener noreferrer nofollow' }, part.text);
      case 'mention':
        return el('a', { class: part.user === me ? 'mention me' : 'mention', href: hrefOf('with', part.user) }, part.text);
      default:
        return part.text;
    }
  });
}
