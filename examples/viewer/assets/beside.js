// Beside the replay: what happened, as lists in step with the playhead. Only the rows in view are in the page.
'use strict';

viewer.beside = (root, { pick, link }) => {
  const { make } = viewer;
  const ROW = 30;
  const BEYOND = 8;
  /** Whoever scrolls is left alone for so long. */
  const PATIENCE_MS = 4000;
  const PANELS = ['Everything', 'Console', 'Network', 'Traces', 'Logs'];

  const choices = make('div', { class: 'choices', role: 'tablist', 'aria-label': 'What happened' });
  const rows = make('ol', { class: 'moments' });
  const view = make('div', { class: 'moments-view', role: 'tabpanel', id: 'moments', tabindex: '-1' }, rows);
  const none = make('p', { class: 'dim none', hidden: true }, 'Nothing here.');
  root.append(choices, none, view);

  let all = [];
  let shown = [];
  let panel = 'Everything';
  let current = -1;
  let scrolledAt = -PATIENCE_MS;
  let moving = false;
  const drawn = new Map();

  const buttons = new Map(PANELS.map((name) => [name, make('button', {
    role: 'tab', id: `panel-${name}`, 'aria-controls': 'moments', onclick: () => choose(name),
  }, name)]));
  choices.append(...buttons.values());
  choices.addEventListener('keydown', (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    choose(PANELS[(PANELS.indexOf(panel) + step + PANELS.length) % PANELS.length]);
    buttons.get(panel).focus();
  });

  function choose(name) {
    panel = name;
    for (const [other, button] of buttons) {
      button.setAttribute('aria-selected', String(other === name));
      button.tabIndex = other === name ? 0 : -1;
    }
    view.setAttribute('aria-labelledby', `panel-${name}`);
    arrange();
  }

  const isIn = (row, name) => row.panel === name || (name === 'Everything' && row.everywhere);

  function arrange() {
    shown = all.filter((row) => isIn(row, panel));
    for (const [name, button] of buttons) {
      const count = all.reduce((sum, row) => sum + (isIn(row, name) ? 1 : 0), 0);
      button.replaceChildren(name, ...(name !== 'Everything' ? [' ', make('span', { class: 'count' }, String(count))] : []));
    }
    none.hidden = shown.length > 0;
    rows.style.height = `${shown.length * ROW}px`;
    for (const element of drawn.values()) element.remove();
    drawn.clear();
    const was = current;
    current = -1;
    draw();
    if (was >= 0) move(now, true);
  }

  function draw() {
    const from = Math.max(0, Math.floor(view.scrollTop / ROW) - BEYOND);
    const to = Math.min(shown.length, Math.ceil((view.scrollTop + view.clientHeight) / ROW) + BEYOND);
    for (const [n, element] of drawn) {
      if ((n < from || n >= to) && !element.contains(document.activeElement)) {
        element.remove();
        drawn.delete(n);
      }
    }
    for (let n = from; n < to; n += 1) {
      if (drawn.has(n)) continue;
      const element = row(shown[n], n);
      // In their order, for whoever steps through them with the keyboard.
      const next = [...drawn.keys()].filter((other) => other > n).sort((a, b) => a - b)[0];
      rows.insertBefore(element, next === undefined ? null : drawn.get(next));
      drawn.set(n, element);
    }
  }

  function row(of, n) {
    const element = make('li', { class: `moment ${of.level ?? ''}`, 'data-tag': of.tag },
      make('a', { href: link(of.at), title: of.text, onclick: (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        pick(of);
      } },
      make('span', { class: 'at' }, of.clock),
      make('span', { class: 'kind' }, of.kind),
      make('span', { class: 'text' }, of.text),
      ...(of.chip ? [make('span', { class: `chip ${of.level === 'bad' ? 'bad' : of.level === 'warn' ? 'refused' : ''}` }, of.chip)] : [])));
    element.style.top = `${n * ROW}px`;
    if (n === current) element.firstChild.setAttribute('aria-current', 'true');
    return element;
  }

  view.addEventListener('scroll', () => {
    if (!moving) scrolledAt = performance.now();
    moving = false;
    draw();
  }, { passive: true });
  view.addEventListener('keydown', (event) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const focused = [...drawn].find(([, element]) => element.contains(document.activeElement));
    if (!step || !focused) return;
    event.preventDefault();
    const next = focused[0] + step;
    if (next < 0 || next >= shown.length) return;
    reveal(next);
    drawn.get(next)?.firstChild.focus({ preventScroll: true });
  });
  new ResizeObserver(draw).observe(view);

  function reveal(n) {
    const top = n * ROW;
    if (top < view.scrollTop || top + ROW > view.scrollTop + view.clientHeight) {
      moving = true;
      view.scrollTop = Math.max(0, top - view.clientHeight / 2);
    }
    draw();
  }

  let now = 0;
  /** The last row that has happened is the current one. */
  function move(at, always = false) {
    now = at;
    let [from, to] = [0, shown.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (shown[middle].at <= at + 1) from = middle + 1;
      else to = middle;
    }
    if (from - 1 === current) return;
    drawn.get(current)?.firstChild.removeAttribute('aria-current');
    current = from - 1;
    drawn.get(current)?.firstChild.setAttribute('aria-current', 'true');
    if (current >= 0 && (always || performance.now() - scrolledAt > PATIENCE_MS)) reveal(current);
  }

  choose(panel);
  return {
    move,
    show(next) {
      all = next;
      arrange();
    },
  };
};
