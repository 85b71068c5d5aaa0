// The time axis of a replay: lanes of what happened, one picture however much it is, and the playhead over it.
'use strict';

viewer.axis = (root, seek) => {
  const { make } = viewer;
  const LANES = ['Clicks', 'Pages', 'Requests', 'Errors', 'Frames'];
  const LANE = 20;
  const SCALE = 18;
  const STEP_MS = 5000;
  const NARROWEST_MS = 2000;

  const canvas = make('canvas', { 'aria-hidden': 'true' });
  const head = make('div', { class: 'playhead' });
  const hover = make('div', { class: 'hover', hidden: true });
  const track = make('div', {
    class: 'lanes', id: 'playhead', role: 'slider', tabindex: '0', 'aria-label': 'Moment of the replay', 'aria-valuemin': '0',
  }, canvas, hover, head);
  const zoomIn = make('button', { 'aria-label': 'Zoom axis in', title: 'Zoom in', onclick: () => zoom(0.5) }, '+');
  const zoomOut = make('button', { 'aria-label': 'Zoom axis out', title: 'Zoom out', onclick: () => zoom(2), disabled: true }, '−');
  root.append(make('div', { class: 'lane-names' },
    ...LANES.map((lane) => make('span', { 'aria-hidden': 'true' }, lane)), make('span', { class: 'zoom' }, zoomIn, zoomOut)), track);

  let shown = { from: 0, to: 1, moments: [], gaps: [], idle: [] };
  /** The part of it that is drawn: all of it, or from when to when. */
  let part = null;
  let at = 0;

  const view = () => part ?? shown;
  const place = (time) => (time - view().from) / (view().to - view().from);
  const time = (event) => {
    const box = track.getBoundingClientRect();
    return view().from + Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * (view().to - view().from);
  };

  /** Around the playhead. */
  function zoom(factor) {
    const width = Math.max(NARROWEST_MS, (view().to - view().from) * factor);
    part = width >= shown.to - shown.from ? null : partAround(width, width / 2);
    draw();
  }

  function partAround(width, before) {
    const from = Math.min(Math.max(shown.from, at - before), shown.to - width);
    return { from, to: from + width };
  }

  function clock(ms) {
    const seconds = Math.max(0, ms) / 1000;
    const minutes = Math.floor(seconds / 60);
    const rest = `${Math.floor(seconds % 60)}`.padStart(2, '0');
    if (minutes < 60) return `${minutes}:${rest}`;
    return `${Math.floor(minutes / 60)}:${`${minutes % 60}`.padStart(2, '0')}:${rest}`;
  }

  function draw() {
    const width = track.clientWidth;
    const height = LANES.length * LANE + SCALE;
    const ratio = devicePixelRatio || 1;
    canvas.width = Math.max(1, width * ratio);
    canvas.height = height * ratio;
    const paper = canvas.getContext('2d');
    paper.scale(ratio, ratio);
    const style = getComputedStyle(document.documentElement);
    const ink = Object.fromEntries(['line', 'dim', 'text', 'bad', 'warn', 'good', 'link', 'hover'].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
    const x = (moment) => place(moment) * width;

    paper.fillStyle = ink.hover;
    for (const [from, to] of shown.idle) paper.fillRect(x(from), 0, x(to) - x(from), height - SCALE);
    paper.fillStyle = ink.line;
    for (let lane = 1; lane <= LANES.length; lane += 1) paper.fillRect(0, lane * LANE, width, 1);

    // Whole seconds, minutes or hours, not too close.
    const steps = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400].map((seconds) => seconds * 1000);
    const { from: begin, to: end } = view();
    const step = steps.find((ms) => ms / (end - begin) * width >= 64) ?? end - begin;
    paper.font = '11px system-ui, sans-serif';
    for (let ms = Math.ceil((begin - shown.from) / step) * step; ms < end - shown.from; ms += step) {
      paper.fillStyle = ink.line;
      paper.fillRect(x(shown.from + ms), 0, 1, height);
      paper.fillStyle = ink.dim;
      paper.fillText(clock(ms), x(shown.from + ms) + 4, height - 5);
    }

    const tick = (lane, moment, colour) => {
      paper.fillStyle = colour;
      paper.fillRect(x(moment) - 1, lane * LANE + 3, 2, LANE - 6);
    };
    const dot = (lane, moment, colour) => {
      paper.fillStyle = colour;
      paper.beginPath();
      paper.arc(x(moment), (lane + 0.5) * LANE, 3.5, 0, Math.PI * 2);
      paper.fill();
    };
    for (const { at: moment, seen: { tag, payload }, again } of shown.moments) {
      if (tag === 'click') dot(0, moment, payload.dead || again !== undefined ? ink.warn : ink.link);
      if (tag === 'navigation') tick(1, moment, ink.text);
      if (tag === 'request') {
        const failed = payload.status === 0 || payload.status >= 500;
        paper.fillStyle = failed ? ink.bad : payload.status >= 400 ? ink.warn : ink.link;
        paper.fillRect(x(payload.start), 2 * LANE + 6, Math.max(2, x(payload.end) - x(payload.start)), LANE - 12);
        if (failed) tick(3, moment, ink.bad);
      }
      if (tag === 'error' || (tag === 'console' && payload.level === 'error')) tick(3, moment, ink.bad);
      if (tag === 'toast') {
        paper.fillStyle = ink.warn;
        paper.fillRect(x(moment - payload.shown), 3 * LANE + 6, Math.max(2, x(moment) - x(moment - payload.shown)), LANE - 12);
      }
      if (tag === 'invalid' || tag === 'console') tick(3, moment, payload.level === 'error' ? ink.bad : ink.warn);
      if (tag === 'frames') {
        const part = Math.min(1, Math.max(0.05, payload.fps / 60));
        paper.fillStyle = payload.fps < 20 ? ink.bad : payload.fps < 45 ? ink.warn : ink.good;
        const from = x(moment - payload.ms);
        paper.fillRect(from, 5 * LANE - part * (LANE - 4), Math.max(1, x(moment) - from - 0.5), part * (LANE - 4));
      }
      if (tag === 'long-frame' && payload.duration >= 100) tick(4, moment, ink.bad);
    }
    paper.strokeStyle = ink.bad;
    for (const [from, to] of shown.gaps) {
      for (let left = x(from) - LANE; left < Math.max(x(to), x(from) + 4); left += 6) {
        paper.save();
        paper.beginPath();
        paper.rect(x(from), 0, Math.max(4, x(to) - x(from)), height - SCALE);
        paper.clip();
        paper.beginPath();
        paper.moveTo(left, height - SCALE);
        paper.lineTo(left + height - SCALE, 0);
        paper.stroke();
        paper.restore();
      }
    }
    zoomIn.disabled = end - begin <= NARROWEST_MS;
    zoomOut.disabled = !part;
    move(at);
  }

  function move(to) {
    at = to;
    if (part && (at < part.from || at > part.to)) {
      const width = part.to - part.from;
      part = partAround(width, width / 10);
      draw();
      return;
    }
    head.style.left = `${Math.min(1, Math.max(0, place(to))) * 100}%`;
    track.setAttribute('aria-valuemax', ((shown.to - shown.from) / 1000).toFixed(1));
    track.setAttribute('aria-valuenow', ((to - shown.from) / 1000).toFixed(1));
    track.setAttribute('aria-valuetext', `${clock(to - shown.from)} of ${clock(shown.to - shown.from)}`);
  }

  track.addEventListener('pointerdown', (event) => {
    if (event.button !== 0) return;
    track.setPointerCapture(event.pointerId);
    seek(time(event));
  });
  track.addEventListener('pointermove', (event) => {
    hover.hidden = false;
    hover.style.left = `${place(time(event)) * 100}%`;
    hover.textContent = clock(time(event) - shown.from);
    hover.classList.toggle('left', place(time(event)) > 0.9);
    if (track.hasPointerCapture(event.pointerId)) seek(time(event));
  });
  track.addEventListener('pointerleave', () => { hover.hidden = true; });
  track.addEventListener('keydown', (event) => {
    const ten = (shown.to - shown.from) / 10;
    const moves = { ArrowLeft: -STEP_MS, ArrowDown: -STEP_MS, ArrowRight: STEP_MS, ArrowUp: STEP_MS, PageDown: -ten, PageUp: ten };
    const to = event.key === 'Home' ? shown.from : event.key === 'End' ? shown.to : event.key in moves ? at + moves[event.key] : null;
    if (to === null || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    seek(to);
  });
  new ResizeObserver(draw).observe(track);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);

  return {
    clock,
    move,
    show(next) {
      if (next.from !== shown.from) part = null;
      shown = { ...next, to: Math.max(next.to, next.from + 1000) };
      draw();
    },
  };
};
