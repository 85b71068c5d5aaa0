// Keeps the page up to date: asks for a short summary now and then, and fetches the page again only when
// the summary has changed. What was unfolded stays unfolded.
'use strict';

(() => {
  const EVERY_MS = 1000;
  const status = document.getElementById('live');
  let known = null;

  const main = () => document.querySelector('main');

  function ago(time) {
    const seconds = Math.max(0, Math.round((Date.now() - Date.parse(time)) / 1000));
    if (seconds < 60) return `${seconds} s ago`;
    if (seconds < 3600) return `${Math.round(seconds / 60)} min ago`;
    if (seconds < 86400) return `${Math.round(seconds / 3600)} h ago`;
    return `${Math.round(seconds / 86400)} d ago`;
  }

  function localTimes() {
    for (const time of document.querySelectorAll('time[datetime]')) {
      const at = new Date(time.dateTime);
      const text = 'ago' in time.dataset ? ago(time.dateTime) : at.toLocaleTimeString();
      if (time.textContent !== text) time.textContent = text;
      time.title = `${at.toLocaleString()} (${time.dateTime})`;
    }
  }

  // A link may point at a trace that arrives only after the page.
  let shown = null;
  function showTarget() {
    if (!location.hash || shown === location.hash) return;
    const target = document.getElementById(location.hash.slice(1));
    if (!target) return;
    target.scrollIntoView();
    shown = location.hash;
  }

  async function refresh() {
    const page = await fetch(location.href, { cache: 'no-store' });
    const next = new DOMParser().parseFromString(await page.text(), 'text/html').querySelector('main');
    if (!next) return;
    for (const row of main().querySelectorAll('details[open]')) {
      const same = next.querySelector(`#${CSS.escape(row.id)}`);
      if (same) same.open = true;
    }
    const focused = document.activeElement?.closest('details')?.id;
    main().replaceWith(document.importNode(next, true));
    if (focused) document.getElementById(focused)?.querySelector('summary')?.focus({ preventScroll: true });
  }

  async function poll() {
    if (!document.hidden) {
      try {
        const answer = await fetch(main().dataset.poll, { cache: 'no-store' });
        const summary = await answer.text();
        if (summary !== known) await refresh();
        known = summary;
        status.textContent = 'live';
        status.classList.remove('lost');
      } catch {
        status.textContent = 'viewer does not answer';
        status.classList.add('lost');
      }
      localTimes();
    }
    showTarget();
    setTimeout(poll, EVERY_MS);
  }

  addEventListener('hashchange', showTarget);
  showTarget();
  localTimes();
  poll();
})();
