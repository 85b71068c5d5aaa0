// Keeps the list up to date: asks for a number that changes with the store, and fetches the list when it did.
'use strict';

(() => {
  const list = () => document.getElementById('list');
  let known = list().dataset.version;

  viewer.live(async () => {
    const { version } = await viewer.json('/api/version');
    if (String(version) === known) return;
    // Whoever fills in a filter or looks at an older page is not disturbed.
    if (list().contains(document.activeElement) && document.activeElement.matches('input')) return;
    if (new URLSearchParams(location.search).has('after')) return;
    const page = await fetch(location.href, { cache: 'no-store' });
    const next = new DOMParser().parseFromString(await page.text(), 'text/html').getElementById('list');
    if (!next) return;
    known = next.dataset.version;
    const focused = document.activeElement?.getAttribute('href');
    list().replaceWith(document.importNode(next, true));
    if (focused) list().querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  });
})();
