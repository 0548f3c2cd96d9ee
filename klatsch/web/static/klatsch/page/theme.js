// Before the first paint: the theme that the person has chosen. A classic script, so that nothing is seen in the other one.
try {
  const theme = localStorage.getItem('klatsch.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // no storage: the system's theme
}
