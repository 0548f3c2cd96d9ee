/** Settings: the theme, kept in this browser and applied by theme.js before the first paint. */

import { el } from '../element.js';
import { t } from '../strings.js';

const KEY = 'klatsch.theme';
const THEMES = ['system', 'light', 'dark'];

/** @param {string} theme */
function choose(theme) {
  const root = document.documentElement;
  if (theme === 'system') delete root.dataset.theme;
  else root.dataset.theme = theme;
  try {
    if (theme === 'system') localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    // no storage: it holds until the page is loaded again
  }
}

export function section() {
  const chosen = document.documentElement.dataset.theme ?? 'system';
  return el('fieldset', { class: 'choices' },
    el('legend', {}, t('appearance.theme')),
    THEMES.map((theme) => el('label', { class: 'choice' },
      el('input', { type: 'radio', name: 'theme', value: theme, checked: theme === chosen, onchange: () => choose(theme) }),
      t(`appearance.${theme}`))));
}
