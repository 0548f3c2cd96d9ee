/** Dates as they are shown, in the person's own language and zone. No DOM. */

const DAY_MS = 86_400_000;

/** @typedef {{language?: string, zone?: string}} Where by default the browser's */

/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();

/** @param {Where} where @param {Intl.DateTimeFormatOptions} options */
function formatOf({ language, zone }, options) {
  const key = JSON.stringify([language, zone, options]);
  let format = formats.get(key);
  if (!format) formats.set(key, (format = new Intl.DateTimeFormat(language, { timeZone: zone, ...options })));
  return format;
}

/** The hour and minute. @param {Date} date @param {Where} [where] */
export const timeOf = (date, where = {}) => formatOf(where, { hour: 'numeric', minute: '2-digit' }).format(date);

/** Date and time in full. @param {Date} date @param {Where} [where] */
export const exactly = (date, where = {}) => formatOf(where, { dateStyle: 'full', timeStyle: 'medium' }).format(date);

/** The date alone. @param {Date} date @param {Where} [where] */
export const dateOf = (date, where = {}) => formatOf(where, { dateStyle: 'medium' }).format(date);

/** A day's name for sorting and comparing, such as 2026-11-29. @param {Date} date @param {Where} [where] */
export function dayKey(date, where = {}) {
  const parts = Object.fromEntries(
    formatOf({ ...where, language: 'en' }, { year: 'numeric', month: '2-digit', day: '2-digit' }).formatToParts(date).map(({ type, value }) => [type, value]));
  return `${parts.year}-${parts.month}-${parts.day}`;
}

/** The whole days from one date's day to another's. @param {Date} date @param {Date} now @param {Where} [where] */
function daysBetween(date, now, where) {
  return Math.round((Date.parse(dayKey(now, where)) - Date.parse(dayKey(date, where))) / DAY_MS);
}

/** What stands between two days: Today, Yesterday, Monday, 3 March. @param {Date} date @param {Date} now @param {Where} [where] */
export function dayName(date, now, where = {}) {
  const days = daysBetween(date, now, where);
  if (days === 0 || days === 1) {
    const name = new Intl.RelativeTimeFormat(where.language, { numeric: 'auto' }).format(-days, 'day');
    return name.charAt(0).toLocaleUpperCase(where.language) + name.slice(1);
  }
  const isNear = days > 1 && days < 7;
  const isThisYear = dayKey(date, where).slice(0, 4) === dayKey(now, where).slice(0, 4);
  if (isNear) return formatOf(where, { weekday: 'long' }).format(date);
  return formatOf(where, { weekday: 'long', day: 'numeric', month: 'long', ...(isThisYear ? {} : { year: 'numeric' }) }).format(date);
}

/** As short as a list needs: the time today, else the day. @param {Date} date @param {Date} now @param {Where} [where] */
export function shortly(date, now, where = {}) {
  const days = daysBetween(date, now, where);
  if (days <= 0) return timeOf(date, where);
  if (days < 7) return formatOf(where, { weekday: 'short' }).format(date);
  const isThisYear = dayKey(date, where).slice(0, 4) === dayKey(now, where).slice(0, 4);
  return formatOf(where, isThisYear ? { day: 'numeric', month: 'short' } : { dateStyle: 'short' }).format(date);
}

/** Milliseconds until the next midnight there, a second more at most. @param {Date} now @param {Where} [where] */
export function untilMidnight(now, where = {}) {
  let [low, high] = [0, 2 * DAY_MS];
  const today = dayKey(now, where);
  while (high - low > 1_000) {
    const middle = (low + high) / 2;
    if (dayKey(new Date(now.getTime() + middle), where) === today) low = middle;
    else high = middle;
  }
  return high;
}
