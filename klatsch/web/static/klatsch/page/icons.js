/** The page's drawn signs: strokes in a square of 24. */

const SVG = 'http://www.w3.org/2000/svg';

/** @type {Record<string, string>} */
const PATHS = {
  back: 'M15 5l-7 7 7 7',
  forward: 'M9 5l7 7-7 7',
  down: 'M5 9l7 7 7-7',
  close: 'M6 6l12 12M18 6L6 18',
  check: 'M4 12.5l5 5L20 6.5',
  checks: 'M2 12.5l5 5L17 6.5M12 17.5L22 6.5',
  clock: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M12 7v5l3 2',
  alert: 'M12 4l9 16H3zM12 10v4M12 17v.01',
  edit: 'M4 20h4L19 9l-4-4L4 16zM13 7l4 4',
  trash: 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13',
  reply: 'M9 7l-5 5 5 5M4 12h9c4 0 7 2 7 6',
  smile: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M8.5 14c2 3 5 3 7 0M9 9.5v.01M15 9.5v.01',
  pin: 'M9 4h6l-1 6 4 4H6l4-4zM12 14v6',
  more: 'M5 12v.01M12 12v.01M19 12v.01',
  send: 'M4 12l16-8-6 16-3-6z',
  search: 'M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14M16 16l5 5',
  compose: 'M4 5h9M4 5v15h15v-8M10 14l10-10',
  group: 'M9 5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7M2.5 20c0-4 3-6 6.5-6s6.5 2 6.5 6M16 5.5a3 3 0 0 1 0 6M18 14.5c2.500 1 3.500 3 3.500 5.500',
  person: 'M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8M4 21c0-4.500 3.500-7 8-7s8 2.500 8 7',
  settings: 'M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6M12 3v3M12 18v3M3 12h3M18 12h3M5.600 5.600l2.100 2.100M16.300 16.300l2.100 2.100M5.600 18.400l2.100-2.100M16.300 7.700l2.100-2.100',
  bell: 'M6 17V11a6 6 0 0 1 12 0v6l2 1H4zM10 21h4',
  muted: 'M6 17v-6a6 6 0 0 1 9-5M18 11v6l2 1H7M10 21h4M4 4l16 16',
  link: 'M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1',
  copy: 'M9 9h11v11H9zM15 9V4H4v11h5',
  flag: 'M5 21V4h12l-2 4 2 4H5',
  block: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M5.600 5.600l12.800 12.800',
  history: 'M4 12a8 8 0 1 0 3-6.200M4 4v4h4M12 8v4l3 2',
  info: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M12 11v5M12 8v.01',
  logout: 'M10 4H5v16h5M14 8l4 4-4 4M18 12H9',
  unread: 'M4 6h16v12H4zM4 7l8 6 8-6',
  plus: 'M12 5v14M5 12h14',
  keyboard: 'M3 7h18v10H3zM7 11v.01M11 11v.01M15 11v.01M8 14h8',
  offline: 'M4 4l16 16M8.500 15a5 5 0 0 1 6-.5M5 11a10 10 0 0 1 4-2.300M13 8a10 10 0 0 1 6 3M12 19v.01',
};

/**
 * A sign, hidden from screen readers: the control around it has the label.
 * @param {string} name
 */
export function icon(name) {
  if (!PATHS[name]) throw new RangeError(`There is no icon ${name}.`);
  const svg = document.createElementNS(SVG, 'svg');
  const path = document.createElementNS(SVG, 'path');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('data-icon', name);
  svg.setAttribute('aria-hidden', 'true');
  svg.setAttribute('viewBox', '0 0 24 24');
  path.setAttribute('d', PATHS[name]);
  svg.append(path);
  return svg;
}
