/** One message: a bubble with its head, quote, text, reactions and marks. It changes in place, so that focus and hover stay. */

import { el, fill, iconButton, Part } from '../element.js';
import { icon } from '../icons.js';
import { hrefOf } from '../logic/routes.js';
import { exactly, timeOf } from '../logic/times.js';
import { emojiName } from '../logic/emoji.js';
import { plainLine } from '../logic/markdown.js';
import { listOf, t } from '../strings.js';
import { avatar } from './avatar.js';
import { renderText } from './text.js';

/** @typedef {import('../logic/receipts.js').Receipt} Receipt */
/**
 * @typedef {object} Shown
 * @property {any} message
 * @property {boolean} isFirst of its group
 * @property {boolean} isLast
 * @property {boolean} isOwn
 * @property {boolean} isGroup whether the conversation is a group
 * @property {string} me
 * @property {Receipt | null} receipt of one's own
 */

class MessagePart extends Part {
  /** @type {Record<string, string>} What each piece was made of. */
  #made = {};
  /** @type {Shown | null} */
  shown = null;

  constructor() {
    super();
    this.bubble = el('div', { class: 'bubble' });
    this.pieces = {
      head: el('div', { class: 'bubble-head' }),
      quote: el('div', { class: 'bubble-quote', hidden: true }),
      text: el('div', { class: 'bubble-text' }),
      foot: el('div', { class: 'bubble-foot' }),
      reactions: el('div', { class: 'reactions', hidden: true }),
      failure: el('div', { class: 'bubble-failure', hidden: true }),
    };
  }

  start() {
    if (this.hasChildNodes()) return;
    const { head, quote, text, foot, reactions, failure } = this.pieces;
    this.tools = el('div', { class: 'bubble-tools' }, iconButton('more', t('message.actions'), { class: 'message-more', tabindex: -1, 'aria-haspopup': 'menu', data: { act: 'menu' } }));
    this.side = el('div', { class: 'message-side' });
    fill(this.bubble, head, quote, text, foot);
    fill(this, this.side, el('div', { class: 'message-body' }, el('div', { class: 'bubble-line' }, this.bubble, this.tools), reactions, failure));
    this.setAttribute('role', 'article');
    this.setAttribute('tabindex', '-1');
    if (this.shown) this.show(this.shown);
  }

  /** @param {Shown} shown */
  show(shown) {
    this.shown = shown;
    const { message, isFirst, isLast, isOwn } = shown;
    if (!this.side) return; // not in the document yet: `start` shows it
    this.className = [
      'message', isOwn ? 'own' : 'other', isFirst && 'first', isLast && 'last', message.deleted && 'deleted', !message.position && 'waiting',
      message.failed && 'failed', message.pending && 'changing', message.mentions?.includes(shown.me) && 'mentions-me', shown.isGroup && 'in-group',
    ].filter(Boolean).join(' ');
    this.dataset.id = message.id ?? '';
    this.#piece('side', [isFirst && !isOwn, message.sender], () => fill(this.side, isFirst && !isOwn && shown.isGroup ? avatar(message.sender, { isSmall: true }) : null));
    this.#piece('head', [isFirst, isOwn, shown.isGroup], () => this.#showHead());
    this.#piece('quote', [message.reply_to, message.reply_preview], () => this.#showQuote());
    this.#piece('text', [message.content, message.deleted, message.mentions], () => this.#showText());
    this.#piece('foot', [message.sent_at, message.edited_at, message.pinned_at, message.deleted, shown.receipt, message.pending?.length], () => this.#showFoot());
    this.#piece('reactions', [message.reactions, message.reaction_counts], () => this.#showReactions());
    this.#piece('failure', [message.failed], () => this.#showFailure());
    this.#label();
  }

  /** Makes a piece again if what it is made of is different. @param {string} name @param {unknown[]} of @param {() => void} make */
  #piece(name, of, make) {
    const key = JSON.stringify(of);
    if (this.#made[name] === key) return;
    this.#made[name] = key;
    make();
  }

  #label() {
    const { message, isOwn } = /** @type {Shown} */ (this.shown);
    const time = timeOf(new Date(message.sent_at));
    this.setAttribute('aria-label', t(isOwn ? 'message.own_label' : 'message.label', { name: message.sender, time }));
  }

  #showHead() {
    const { message, isFirst, isOwn, isGroup } = /** @type {Shown} */ (this.shown);
    const isShown = isFirst && !isOwn && isGroup;
    this.pieces.head.hidden = !isShown;
    fill(this.pieces.head, isShown && el('a', { href: hrefOf('with', message.sender), class: 'sender', dir: 'auto' }, message.sender));
  }

  #showQuote() {
    const { message, me } = /** @type {Shown} */ (this.shown);
    const { quote } = this.pieces;
    quote.hidden = !message.reply_to;
    if (!message.reply_to) return;
    const original = message.reply_preview;
    const text = !original ? t('message.quote_unknown') : original.deleted ? t('message.deleted') : plainLine(original.content);
    fill(quote, el('button', { type: 'button', class: 'quote', data: { act: 'quote' }, 'aria-label': t('message.to_quote', { name: original?.sender ?? '' }) },
      original && el('span', { class: 'quote-name', dir: 'auto' }, original.sender === me ? t('message.you') : original.sender), el('span', { class: 'quote-text', dir: 'auto' }, text)));
  }

  #showText() {
    const { message, me } = /** @type {Shown} */ (this.shown);
    if (message.deleted) fill(this.pieces.text, el('p', { class: 'tombstone' }, t('message.deleted')));
    else fill(this.pieces.text, renderText(message.content, { mentions: message.mentions ?? [], me }));
  }

  #showFoot() {
    const { message, receipt } = /** @type {Shown} */ (this.shown);
    const date = new Date(message.sent_at);
    fill(this.pieces.foot,
      message.pinned_at && el('span', { class: 'pinned-sign', title: t('message.pinned') }, icon('pin'), el('span', { class: 'visually-hidden' }, t('message.pinned'))),
      message.edited_at && !message.deleted && el('button', { type: 'button', class: 'edited', title: exactly(new Date(message.edited_at)), data: { act: 'versions' } }, t('message.edited')),
      el('time', { datetime: message.sent_at, title: exactly(date) }, timeOf(date)),
      receipt && this.#receipt(receipt));
  }

  /** @param {Receipt} receipt */
  #receipt({ state, read, delivered }) {
    const { isGroup } = /** @type {Shown} */ (this.shown);
    const sign = { sending: 'clock', failed: 'alert', sent: 'check', delivered: 'checks', read: 'checks' }[state];
    const names = isGroup && read.length > 0 ? t('receipt.read_by', { names: listOf(read) }) : isGroup && delivered.length > 0 ? t('receipt.delivered_to', { names: listOf(delivered) }) : null;
    const label = names ?? t(`receipt.${state}`);
    return el('span', { class: `receipt ${state}`, title: label }, icon(sign), el('span', { class: 'visually-hidden' }, label));
  }

  #showReactions() {
    const { message, me } = /** @type {Shown} */ (this.shown);
    const row = this.pieces.reactions;
    const counts = Object.entries(message.reaction_counts ?? {});
    row.hidden = counts.length === 0;
    const before = new Map([...row.querySelectorAll('button')].map((button) => [button.dataset.emoji, button]));
    const buttons = counts.map(([emoji, count]) => {
      const names = message.reactions?.[emoji] ?? [];
      const isMine = names.includes(me);
      const others = Number(count) - names.length;
      const who = listOf([...names, ...(others > 0 ? [t('reaction.others', { count: others })] : [])]);
      const button = before.get(emoji) ?? el('button', { type: 'button', data: { act: 'react', emoji } });
      button.className = `reaction${isMine ? ' mine' : ''}`;
      button.title = t('reaction.by', { emoji: emojiName(emoji), names: who });
      button.setAttribute('aria-pressed', String(isMine));
      button.setAttribute('aria-label', button.title);
      fill(button, el('span', { class: 'reaction-sign' }, emoji), el('span', { class: 'reaction-count' }, Number(count)));
      return button;
    });
    if (buttons.length > 0) buttons.push(row.querySelector('.add') ?? this.#addButton());
    for (const child of [...row.children]) if (!buttons.includes(/** @type {any} */ (child))) child.remove();
    for (const [i, button] of buttons.entries()) if (row.children[i] !== button) row.insertBefore(button, row.children[i] ?? null);
  }

  #addButton() {
    return el('button', { type: 'button', class: 'reaction add', title: t('reaction.add'), 'aria-label': t('reaction.add'), data: { act: 'pick' } }, icon('smile'));
  }

  #showFailure() {
    const { message } = /** @type {Shown} */ (this.shown);
    const { failure } = this.pieces;
    failure.hidden = !message.failed;
    if (!message.failed) return;
    fill(failure, el('span', { role: 'alert' }, t('message.failed', { reason: message.failed.detail })),
      el('button', { type: 'button', class: 'link', data: { act: 'retry' } }, t('message.retry')),
      el('button', { type: 'button', class: 'link', data: { act: 'drop' } }, t('message.drop')));
  }
}

customElements.define('k-message', MessagePart);
