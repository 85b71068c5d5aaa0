// One session: its traces, each fetched when it is opened, each row drawn when it comes into view.
'use strict';

(() => {
  const { make, json, live, localTimes, millis } = viewer;
  const id = document.getElementById('session').dataset.session;
  const of = `session=${encodeURIComponent(id)}`;
  const list = document.getElementById('traces');
  const facts = document.getElementById('facts');
  const nothing = document.getElementById('nothing');

  /** Elements drawn together, and the heights of what is not drawn yet. */
  const CHUNK = 40;
  const ROW = 28;
  const HEADER = 46;
  /** Deeper rows are not moved further to the right: they say how deep they are. */
  const INDENTS = 12;
  /** What details consist of. */
  const GROUPS = ['span', 'log record', 'attributes', 'events', 'resource', 'scope'];

  const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

  function duration(nanos) {
    if (nanos < 1e3) return `${nanos} ns`;
    if (nanos < 1e6) return `${(nanos / 1e3).toFixed(0)} µs`;
    if (nanos < 1e7) return `${(nanos / 1e6).toFixed(2)} ms`;
    if (nanos < 1e9) return `${(nanos / 1e6).toFixed(1)} ms`;
    if (nanos < 6e10) return `${(nanos / 1e9).toFixed(2)} s`;
    return `${(nanos / 6e10).toFixed(1)} min`;
  }

  // ---- services: any number of them, each with a hue of its own, and none with that of an error or a warning

  const hues = new Map();
  function hue(service) {
    // Steps by the golden ratio: however many there are, neighbours differ.
    if (!hues.has(service)) hues.set(service, 70 + ((162 + hues.size * 99.311) % 260));
    return hues.get(service);
  }

  function coloured(element, service) {
    element.style.setProperty('--hue', hue(service));
    return element;
  }

  // ---- drawing what comes into view

  const drawn = new WeakMap();
  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) if (isIntersecting) drawn.get(target)?.();
  }, { rootMargin: '800px' });

  /** A block of a known height, filled when it comes near the window. */
  function later(height, draw) {
    const block = make('div', { class: 'chunk' });
    block.style.minHeight = `${height}px`;
    const fill = () => {
      seen.unobserve(block);
      if (!drawn.delete(block)) return;
      block.style.minHeight = '';
      draw(block);
    };
    drawn.set(block, fill);
    seen.observe(block);
    return { block, fill };
  }

  // ---- one trace

  class Trace {
    /** Beside a replay a trace may be drawn a second time, with a prefix to its rows' names. */
    constructor(summary, prefix = '') {
      this.prefix = prefix;
      this.rows = [];
      this.folded = new Set();
      this.openRows = new Set();
      this.open = false;
      this.body = make('div', { class: 'rows', hidden: true });
      this.toggle = make('button', { class: 'toggle', 'aria-expanded': 'false', onclick: () => this.setOpen(!this.open) });
      this.header = make('header');
      this.element = make('section', { class: 'trace', id: `${prefix}trace-${summary.trace_id || 'none'}` }, this.header, this.body);
      this.update(summary);
    }

    update(summary) {
      const changed = this.summary && this.summary.version !== summary.version;
      this.summary = summary;
      const { trace_id: trace, title, errors, refused, started, nanos, spans, logs } = summary;
      this.toggle.replaceChildren(make('h2', {}, title));
      if (this.header.firstChild !== this.toggle) this.header.replaceChildren(this.toggle);
      while (this.toggle.nextSibling) this.toggle.nextSibling.remove();
      this.header.append(
        ...(errors ? [make('span', { class: 'chip bad' }, plural(errors, 'error'))] : []),
        ...(refused ? [make('span', { class: 'chip refused', title: 'requests answered with 4xx' }, `${refused} × 4xx`)] : []),
        make('span', { class: 'facts' },
          make('time', { datetime: started }),
          make('span', {}, plural(spans, 'span')),
          make('span', {}, plural(logs, 'log line')),
          make('span', {}, duration(nanos)),
          trace ? make('code', { title: `trace ID ${trace}` }, trace.slice(0, 8)) : null,
          trace ? make('button', { class: 'copy', 'data-copy': trace }, 'Copy ID') : null,
          trace ? make('button', { class: 'copy', 'data-copy': `${location.origin}/traces/${trace}` }, 'Copy link') : null,
        ),
      );
      localTimes(this.header);
      if (changed && this.open) this.load();
    }

    async setOpen(open) {
      this.open = open;
      this.toggle.setAttribute('aria-expanded', String(open));
      this.body.hidden = !open;
      if (open) await (this.loading ??= this.load());
    }

    async load() {
      const trace = await json(`/api/traces/${this.summary.trace_id || 'none'}?${of}`);
      this.rows = trace.rows;
      this.started = millis(trace.started);
      this.ends = Math.max(1, trace.nanos);
      this.truncated = trace.truncated;
      this.rows.forEach((row, n) => { row.parent = (this.rows[n + 1]?.depth ?? 0) > row.depth; });
      this.draw();
    }

    /** The rows under no folded one. */
    shown() {
      let folded = Infinity;
      return this.rows.filter((row) => {
        if (row.depth > folded) return false;
        folded = this.folded.has(row.id) ? row.depth : Infinity;
        return true;
      });
    }

    draw() {
      const rows = this.shown();
      // The request as the browser saw it, on the servers' clock, around what the servers did for it.
      const asked = viewer.watch?.requestOf(this.summary.trace_id);
      this.from = asked ? Math.min(0, (asked.from - this.started) * 1e6) : 0;
      this.nanos = Math.max(this.ends, asked ? (asked.to - this.started) * 1e6 : 0) - this.from;
      if (this.zoomed) ({ from: this.from, nanos: this.nanos } = this.zoomed);
      const begins = this.zoomed ? this.from : 0;
      const quarters = [0, 1, 2, 3].map((n) => make('span', {}, n || begins ? duration(Math.round(begins + this.nanos * n / 4)) : '0'));
      const axis = make('div', { class: 'line axis', 'aria-hidden': 'true' }, make('span'), make('span', { class: 'quarters' }, ...quarters), make('span'));
      this.chunks = [];
      for (let from = 0; from < rows.length; from += CHUNK) {
        const part = rows.slice(from, from + CHUNK);
        this.chunks.push({ part, ...later(part.length * ROW, (block) => block.append(...part.map((row) => this.row(row)))) });
      }
      const foldable = this.rows.some((row) => row.parent);
      const tools = (foldable || this.zoomed) && make('p', { class: 'tools' },
        foldable ? make('button', { onclick: () => { this.rows.forEach((row) => row.parent && this.folded.add(row.id)); this.draw(); } }, 'Collapse all') : null,
        foldable ? make('button', { onclick: () => { this.folded.clear(); this.draw(); } }, 'Expand all') : null,
        this.zoomed ? make('button', { onclick: () => this.zoom(null) }, 'Whole trace') : null);
      const more = this.truncated && make('p', { class: 'dim' }, 'There are more rows than this page shows.');
      const focused = this.body.contains(document.activeElement) && document.activeElement.closest('.row')?.id;
      // What is seen first is there at once.
      this.chunks[0]?.fill();
      this.body.replaceChildren(...[tools, axis, asked && this.browserRow(asked), ...this.chunks.map((chunk) => chunk.block), more].filter(Boolean));
      if (focused) {
        this.drawChunkOf((row) => anchor(this, row) === focused);
        document.getElementById(focused)?.querySelector('.line').focus({ preventScroll: true });
      }
    }

    drawChunkOf(wanted) {
      this.chunks.find((chunk) => chunk.part.some(wanted))?.fill();
    }

    /** Where on the track, in percent. */
    place(at) {
      return (at - this.from) / this.nanos * 100;
    }

    /** Makes a row as wide as the track, with a little around it; or nothing. */
    zoom(row) {
      const around = row ? Math.max(500, row.span.nanos * 0.05) : 0;
      this.zoomed = row ? { row: row.id, from: row.at - around, nanos: row.span.nanos + 2 * around } : null;
      this.draw();
      if (row) {
        this.drawChunkOf((other) => other === row);
        document.getElementById(anchor(this, row))?.scrollIntoView({ block: 'nearest' });
      }
    }

    browserRow(asked) {
      const bar = make('span', { class: 'bar' });
      const nanos = (asked.to - asked.from) * 1e6;
      bar.style.left = `${this.place((asked.from - this.started) * 1e6)}%`;
      bar.style.width = `${Math.max(0.4, nanos / this.nanos * 100)}%`;
      const what = make('span', { class: 'what' }, make('span', { class: 'name', title: asked.text }, asked.text), make('span', { class: 'service' }, 'browser'),
        asked.status >= 500 || asked.status === 0 ? make('span', { class: 'chip bad' }, asked.status ? `error ${asked.status}` : 'failed') : null,
        asked.status >= 400 && asked.status < 500 ? make('span', { class: 'chip refused' }, String(asked.status)) : null);
      what.style.setProperty('--depth', 0);
      return make('div', { class: 'row span browser' }, make('button', { class: 'line', onclick: () => viewer.watch.seekTo(asked.from) },
        what, make('span', { class: 'track', 'aria-hidden': 'true' }, bar), make('span', { class: 'took' }, duration(Math.round(nanos)))));
    }

    row(row) {
      const { span, log } = row;
      const kind = span ? `span${span.trouble === 'error' ? ' failed' : ''}` : `log ${log.level}`;
      const element = coloured(make('div', { class: `row ${kind}`, id: anchor(this, row), 'data-service': row.service, 'data-id': row.id }), row.service);
      const what = make('span', { class: 'what' });
      what.style.setProperty('--depth', Math.min(row.depth, INDENTS));
      if (row.depth > INDENTS) what.append(make('span', { class: 'level', title: `level ${row.depth}` }, `↳${row.depth}`));
      const track = make('span', { class: 'track', 'aria-hidden': 'true' });
      const bar = make('span', { class: span ? 'bar' : 'dot' });
      const width = span ? Math.max(0.4, span.nanos / this.nanos * 100) : 0;
      // What ends with the track can still be seen; zoomed in, it may be beyond.
      bar.style.left = `${this.zoomed ? this.place(row.at) : Math.min(this.place(row.at), 100 - Math.min(100, width))}%`;
      if (span) bar.style.width = `${width}%`;
      track.append(bar);
      if (span) {
        what.append(make('span', { class: 'name', title: row.text }, row.text), make('span', { class: 'service', title: row.service }, row.service));
        if (span.trouble === 'error') what.append(make('span', { class: 'chip bad' }, span.http >= 400 ? `error ${span.http}` : 'error'));
        if (span.trouble === 'refused') what.append(make('span', { class: 'chip refused', title: 'the server refused the request; by convention that is no error of its own' }, String(span.http)));
      } else {
        what.append(make('span', { class: 'severity' }, log.severity), make('span', { class: 'body' }, row.text,
          ...log.fields.flatMap(([key, value]) => [' ', make('span', { class: 'field' }, `${key}=`, make('b', {}, value))])));
      }
      const line = make('button', { class: 'line', 'aria-expanded': 'false', onclick: () => this.setDetails(row, element, element.children.length < 2 || !element.querySelector('.details')) },
        what, track, make('span', { class: 'took' }, span ? duration(span.nanos) : `+${duration(row.at)}`));
      element.append(line);
      if (row.parent) {
        const folded = this.folded.has(row.id);
        const fold = make('button', { class: 'fold', 'aria-expanded': String(!folded), 'aria-label': `What ${row.text} did`, onclick: () => {
          if (!this.folded.delete(row.id)) this.folded.add(row.id);
          this.draw();
          this.drawChunkOf((other) => other === row);
          document.getElementById(anchor(this, row))?.querySelector('.fold').focus({ preventScroll: true });
        } }, folded ? '▸' : '▾');
        fold.style.setProperty('--depth', Math.min(row.depth, INDENTS));
        element.append(fold);
      }
      if (this.openRows.has(row.id)) this.showDetails(row, element);
      return element;
    }

    async setDetails(row, element, open) {
      element.querySelector('.line').setAttribute('aria-expanded', String(open));
      element.querySelector('.details')?.remove();
      if (!open) return void this.openRows.delete(row.id);
      this.openRows.add(row.id);
      viewer.watch?.seekTo(this.started + row.at / 1e6);
      await this.showDetails(row, element);
    }

    async showDetails(row, element) {
      element.querySelector('.line').setAttribute('aria-expanded', 'true');
      const details = make('div', { class: 'details' }, make('p', { class: 'dim' }, '…'));
      element.append(details);
      try {
        const known = await json(`/api/records/${row.id}`);
        const link = `${location.origin}${location.pathname}${location.search}#${element.id.slice(this.prefix.length)}`;
        details.replaceChildren(
          make('p', { class: 'tools' },
            row.span?.nanos ? make('button', { onclick: () => this.zoom(this.zoomed?.row === row.id ? null : row) }, this.zoomed?.row === row.id ? 'Zoom out' : 'Zoom to this span') : null,
            make('button', { 'data-copy': link }, 'Copy link'),
            make('button', { 'data-copy': JSON.stringify(known, null, 2) }, 'Copy as JSON')),
          ...groups(known));
      } catch {
        details.replaceChildren(make('p', { class: 'dim' }, 'It is not kept any more.'));
      }
    }
  }

  function groups(known) {
    return GROUPS.flatMap((title) => (known[title] ? group(title, known[title]) : []));
  }

  /** A heading and its lines; nothing if there are none. */
  function group(title, values) {
    const lines = Array.isArray(values)
      ? values.map((event) => [event.name || 'event', { time: event.time, ...event.attributes }])
      : Object.entries(values);
    const kept = lines.filter(([, value]) => value !== null && value !== undefined && value !== '' && !(typeof value === 'object' && !Object.keys(value).length));
    if (!kept.length) return [];
    return [make('h3', {}, title), make('dl', {}, ...kept.map(([key, value]) => {
      const text = typeof value === 'string' ? value : JSON.stringify(value);
      return make('div', {}, make('dt', {}, key), make('dd', {}, text, make('button', { class: 'copy', 'data-copy': text, 'aria-label': `Copy ${key}` }, 'Copy')));
    }))];
  }

  function anchor(trace, row) {
    return trace.prefix + (row.span ? `span-${trace.summary.trace_id}-${row.span.span_id}` : row.id.replace('/', '-'));
  }

  // ---- all traces

  const traces = new Map();
  viewer.session = { id, of, traces, version: () => version, Trace, duration, plural, coloured, group, groups };
  /** From the oldest on, so that a new trace changes the last chunk only. */
  let chunks = [];
  let version = 0;

  function arrange() {
    const order = [...traces.values()].sort((a, b) =>
      a.summary.started < b.summary.started ? -1 : a.summary.started > b.summary.started ? 1 : 0);
    const wanted = [];
    for (let from = 0; from < order.length; from += CHUNK) wanted.push(order.slice(from, from + CHUNK).reverse());
    wanted.forEach((part, n) => {
      const chunk = chunks[n];
      if (!chunk) {
        const made = { part, drawn: false };
        Object.assign(made, later(part.length * HEADER, (block) => { made.drawn = true; fill(block, made.part); }));
        chunks.push(made);
        list.prepend(made.block);
      } else if (chunk.part.length !== part.length || chunk.part.some((trace, m) => trace !== part[m])) {
        chunk.part = part;
        if (chunk.drawn) fill(chunk.block, part);
        else chunk.block.style.minHeight = `${part.length * HEADER}px`;
      }
    });
  }

  /** Moves nothing that is where it belongs: what is open or focused stays so. */
  function fill(block, part) {
    const keep = new Set(part.map((trace) => trace.element));
    for (const child of [...block.children]) if (!keep.has(child)) child.remove();
    part.forEach((trace, n) => {
      if (block.children[n] !== trace.element) block.insertBefore(trace.element, block.children[n] ?? null);
    });
  }

  function showFacts(summary) {
    for (const service of summary.services) hue(service);
    const services = summary.services.map((service) => coloured(make('span', { class: 'service' }, service), service));
    facts.replaceChildren(
      make('span', {}, `${plural(summary.traces, 'trace')}${summary.traces > 1 ? ', latest first' : ''}`),
      make('span', {}, plural(summary.spans, 'span')),
      make('span', {}, plural(summary.logs, 'log line')),
      ...(summary.errors ? [make('span', { class: 'chip bad' }, plural(summary.errors, 'error'))] : []),
      ...(summary.refused ? [make('span', { class: 'chip refused' }, `${summary.refused} × 4xx`)] : []),
      ...(summary.batches ? [] : [make('span', {}, 'no replay')]),
      ...(summary.user ? [make('span', {}, 'user ', make('b', {}, summary.user))] : []),
      make('span', {}, 'since ', make('time', { datetime: summary.first_seen })), ...services, facts.querySelector('a'));
    localTimes(facts);
  }

  async function refresh() {
    await viewer.watch?.refresh();
    const answer = await json(`/api/traces?${of}&since=${version}`);
    const first = traces.size === 0;
    version = answer.version;
    nothing.hidden = Boolean(answer.summary);
    if (answer.summary && (answer.traces.length || first)) showFacts(answer.summary);
    if (!answer.traces.length) return;
    for (const summary of answer.traces) {
      const known = traces.get(summary.trace_id);
      if (known) known.update(summary);
      else traces.set(summary.trace_id, new Trace(summary));
    }
    arrange();
    chunks.at(-1).fill();
    await viewer.watch?.tracesChanged();
    if (first && !location.hash && !viewer.watch?.isRecorded()) latest()?.setOpen(true);
    await showTarget();
  }

  const latest = () => chunks.at(-1)?.part.find((trace) => trace.summary.trace_id);

  // ---- links to a trace, a span or a log line; they may arrive later than the page

  let shown = null;
  async function showTarget() {
    const hash = decodeURIComponent(location.hash.slice(1));
    if (!hash || shown === hash) return;
    const [, kind, trace, span] = /^(trace|span)-([0-9a-f]+|none)(?:-([0-9a-f]+))?$/.exec(hash) ?? [];
    if (kind) {
      const found = await reveal(trace === 'none' ? '' : trace, (row) => kind === 'span' && row.span?.span_id === span, kind === 'span');
      if (found) shown = hash;
    } else if (/^log-\d+$/.test(hash)) {
      shown = hash;
      const known = await json(`/api/records/${hash.replace('-', '/')}`);
      await reveal(known['log record']['trace ID'] ?? '', (row) => row.id === hash.replace('-', '/'), true);
    }
  }

  /** Opens a trace, unfolds what a row is under, and brings it into view. */
  async function reveal(traceId, wanted, details) {
    const trace = traces.get(traceId);
    if (!trace) return false;
    chunks.find((chunk) => chunk.part.includes(trace))?.fill();
    await trace.setOpen(true);
    const row = trace.rows.find(wanted);
    if (!row) {
      trace.element.scrollIntoView();
      return !details;
    }
    let depth = row.depth;
    for (let n = trace.rows.indexOf(row); n >= 0; n -= 1) {
      if (trace.rows[n].depth < depth) {
        trace.folded.delete(trace.rows[n].id);
        depth = trace.rows[n].depth;
      }
    }
    if (!trace.shown().every((other) => trace.chunks.some((chunk) => chunk.part.includes(other)))) trace.draw();
    trace.drawChunkOf((other) => other === row);
    const element = document.getElementById(anchor(trace, row));
    for (const other of document.querySelectorAll('.row.target')) other.classList.remove('target');
    element.classList.add('target');
    if (details && !element.querySelector('.details')) trace.setDetails(row, element, true);
    element.scrollIntoView({ block: 'center' });
    return true;
  }

  addEventListener('hashchange', () => { shown = null; showTarget(); });

  // ---- finding

  const form = document.getElementById('find');
  const found = document.getElementById('found');
  const steps = { previous: document.getElementById('previous'), next: document.getElementById('next') };
  let places = [];
  let at = 0;

  async function go(to) {
    if (!places.length) return;
    at = (to + places.length) % places.length;
    found.textContent = `${at + 1} of ${places.length}${places.length === 500 ? ' or more' : ''}`;
    await reveal(places[at].trace_id, (row) => row.id === places[at].id, false);
  }

  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const text = form.querySelector('input').value.trim();
    places = text ? await json(`/api/find?${of}&q=${encodeURIComponent(text)}`) : [];
    found.textContent = text && !places.length ? 'nothing found' : '';
    steps.previous.disabled = steps.next.disabled = places.length < 2;
    await go(0);
  });
  steps.previous.addEventListener('click', () => go(at - 1));
  steps.next.addEventListener('click', () => go(at + 1));

  live(refresh);
})();
