// What all pages share: building elements, times in the reader's zone, copying, and asking again and again.
'use strict';

const viewer = (() => {
  const EVERY_MS = 1000;
  const status = document.getElementById('live');

  /** An element with properties; what is no element becomes text, so nothing that arrived is ever markup. */
  function make(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (value === undefined || value === null || value === false) continue;
      if (name === 'class') element.className = value;
      else if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
      else element.setAttribute(name, value === true ? '' : value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  }

  function ago(at) {
    const seconds = Math.max(0, Math.round((Date.now() - at) / 1000));
    if (seconds < 60) return `${seconds} s ago`;
    if (seconds < 3600) return `${Math.round(seconds / 60)} min ago`;
    if (seconds < 86400) return `${Math.round(seconds / 3600)} h ago`;
    return `${Math.round(seconds / 86400)} d ago`;
  }

  const format = new Intl.DateTimeFormat(undefined, {
    year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit',
    timeZoneName: 'short',
  });

  function localTimes(within = document) {
    for (const time of within.querySelectorAll('time[datetime]')) {
      const at = Date.parse(time.dateTime);
      if (Number.isNaN(at)) continue;
      const text = 'ago' in time.dataset ? ago(at) : format.format(at);
      if (time.textContent !== text) time.textContent = text;
      time.title = `${format.format(at)} (${time.dateTime})`;
    }
  }

  /** Milliseconds since the epoch of an RFC 3339 time with nine digits: more of them than a Date has. */
  function millis(time) {
    return Date.parse(`${time.slice(0, 19)}Z`) + Number(time.slice(20, 29)) / 1e6;
  }

  document.addEventListener('click', async (event) => {
    const button = event.target.closest?.('button[data-copy]');
    if (!button) return;
    const text = button.textContent;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = 'Copied';
    } catch {
      button.textContent = 'Not allowed';
    }
    setTimeout(() => { button.textContent = text; }, 1200);
  });

  async function json(url) {
    const answer = await fetch(url, { cache: 'no-store' });
    if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
    return answer.json();
  }

  /** Calls `ask` every second while the page is seen; one at a time. */
  async function live(ask) {
    if (!document.hidden) {
      try {
        await ask();
        status.textContent = 'live';
        status.classList.remove('lost');
      } catch {
        status.textContent = 'viewer does not answer';
        status.classList.add('lost');
      }
      localTimes();
    }
    setTimeout(live, EVERY_MS, ask);
  }

  localTimes();
  return { make, json, live, localTimes, format, millis };
})();
