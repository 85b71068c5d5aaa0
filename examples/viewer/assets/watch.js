// The replay of a session: one browser tab at a time, on its own clock; what servers did is moved onto that clock.
//
// The viewer knows documents. Those that follow each other are the pages of one browser tab; those at the same time are
// of several.
'use strict';

(() => {
  const { make, json, millis, format, localTimes } = viewer;
  const section = document.getElementById('replay');
  const id = document.getElementById('session').dataset.session;
  const of = `session=${encodeURIComponent(id)}`;
  const playable = section.dataset.playable === 'true';
  const element = (name) => document.getElementById(name);
  const [note, picked, playButton, clockText, speed, skip, fit, here] =
    ['note', 'picked', 'play', 'clock', 'speed', 'skip', 'fit', 'here'].map(element);

  /** Events fetched ahead of the playhead, in milliseconds of the recording. */
  const AHEAD_MS = 20_000;
  /** Nothing happening for longer is skipped, up to shortly before something does. */
  const IDLE_MS = 4_000;
  const LEAD_MS = 700;
  /** A tab that sent something this lately is still being recorded. */
  const RECENT_MS = 30_000;
  const REPEATED_MS = 500;
  const SLOW_FRAME_MS = 100;
  /** The same request within this long was sent twice. */
  const TWICE_MS = 1_000;
  const STEP_MS = 5_000;
  /** Whoever waits longer is told why. */
  const SLOW_MS = 400;
  const LOADING = 'Loading…';

  /** Longer than a page goes on after the next one began. */
  const OVERLAP_MS = 1_000;

  let tabs = [];
  let serverNow = 0;
  /** The tab that is shown, with what is known of it. */
  let tab = null;
  let at = 0;
  let playing = false;
  let lastSeek = 0;
  let seeking = false;
  let settling = 0;
  let loaded = null;
  let logs = [];
  let wanted = new URLSearchParams(location.search);

  // ---- the stage

  let stage = null;
  const staged = new Promise((resolve) => {
    const ready = () => {
      stage = element('stage')?.contentWindow?.stage;
      if (!stage) return;
      stage.onsize = ({ width, height }) => {
        element('screen').style.aspectRatio = `${width} / ${height}`;
      };
      // A page that is still loading would wait for what is played.
      if (document.readyState === 'complete') resolve();
      else addEventListener('load', resolve);
    };
    addEventListener('stage-ready', ready);
    ready();
  });

  function mount() {
    if (element('stage') || !playable) return;
    element('screen').prepend(make('iframe', { id: 'stage', src: '/stage', title: 'The recorded page', tabindex: '-1' }));
  }

  // ---- where the playhead is

  const seconds = (time) => (time - tab.facts.started) / 1000;
  const pageAt = (time) => tab.facts.pages.findLast((page) => page.started <= time) ?? tab.facts.pages[0];
  const toServer = (time) => time + tab.facts.offset;
  const fromServer = (time) => time - tab.facts.offset;

  function link(time) {
    const query = new URLSearchParams(location.search);
    for (const name of ['trace', 'tab', 't']) query.delete(name);
    const page = pageAt(time);
    query.set('tab', page.tab);
    query.set('t', String(Math.round(time - page.started) / 1000));
    return `${location.pathname}?${query}`;
  }

  const axis = viewer.axis(element('axis'), (time) => seek(time));
  const beside = viewer.beside(element('beside'), { pick: (row) => pick(row), link });

  function show(time) {
    at = time;
    axis.move(at);
    beside.move(at);
    const clock = `${axis.clock(at - tab.facts.started)} / ${axis.clock(tab.facts.ended - tab.facts.started)}`;
    if (clockText.textContent !== clock) {
      clockText.textContent = clock;
      clockText.title = format.format(toServer(at));
    }
  }

  /** The link to this moment, on its button and, soon, in the address bar: browsers bound how often that changes. */
  function settle() {
    here.dataset.copy = location.origin + link(at);
    clearTimeout(settling);
    settling = setTimeout(() => history.replaceState(history.state, '', link(at) + location.hash), 250);
  }

  // ---- what is loaded: from a batch with a whole picture on, without a hole up to another

  /** The batch that playing can begin with. */
  function begin(time) {
    let found = -1;
    tab.batches.forEach((batch, n) => {
      if (batch.snapshot !== null && (batch.snapshot <= time || found < 0)) found = n;
    });
    return found;
  }

  function batchAt(time) {
    let found = 0;
    tab.batches.forEach((batch, n) => { if (batch.first <= time) found = n; });
    return found;
  }

  /** Batches by their places, as lines of JSON. */
  async function fetchBatches(from, to) {
    let lines = '';
    while (from <= to) {
      const { page, sequence } = tab.batches[from];
      let last = from;
      while (last < to && tab.batches[last + 1].page === page) last += 1;
      const answer = await fetch(`/api/replay/${page}/events?${of}&from=${sequence}&to=${tab.batches[last].sequence}`);
      if (!answer.ok) throw new Error(`the viewer answers ${answer.status}`);
      const text = await answer.text();
      const got = [...text.matchAll(/^\{"sequence":(\d+)/gm)].at(-1);
      if (!got) throw new Error('a part is not kept any more');
      lines += text;
      // One answer holds only so much.
      while (from <= last && tab.batches[from].sequence <= Number(got[1])) from += 1;
    }
    return lines;
  }

  /** Makes sure that a time can be shown; whether it can. */
  async function load(time, token) {
    const first = begin(time);
    if (first < 0) {
      note.textContent = 'This tab’s recording has no picture of its page (yet).';
      return false;
    }
    const last = Math.max(batchAt(time + AHEAD_MS), first);
    const fits = loaded && loaded.of === tab && loaded.from <= first && loaded.to >= first - 1;
    // From an earlier picture on is as good, unless the way from there is long.
    if (fits) {
      if (loaded.to >= batchAt(time)) return true;
      if (first <= loaded.from || first === loaded.to + 1) {
        await append(last);
        return token === lastSeek;
      }
    }
    loaded = null;
    const mine = tab;
    const lines = await fetchBatches(first, last);
    await staged;
    if (token !== lastSeek || mine !== tab) return false;
    const began = tab.batches[first].snapshot;
    note.textContent = '';
    if (!stage.open(lines, Math.max(time, began), playing)) {
      note.textContent = 'This part of the recording can’t be shown.';
      return false;
    }
    stage.speed(Number(speed.value));
    stage.fit(fit.checked);
    loaded = { of: tab, from: first, to: last, ends: tab.batches[last].last, appending: null };
    if (time + 1000 < began) note.textContent = `There is no picture of the page before ${axis.clock(began - tab.facts.started)}.`;
    return true;
  }

  async function append(to) {
    const mine = loaded;
    if (!mine || to <= mine.to) return;
    mine.appending ??= (async () => {
      const lines = await fetchBatches(mine.to + 1, to);
      if (mine !== loaded) return;
      mine.ended = mine.ends;
      stage.append(lines);
      mine.to = to;
      mine.ends = Math.max(mine.ends, tab.batches[to].last);
      // The events are taken in a moment later.
      await new Promise((resolve) => { setTimeout(resolve); });
    })().finally(() => { mine.appending = null; });
    await mine.appending;
  }

  /** Shows a moment, and goes on playing if it plays. */
  async function seek(time) {
    if (!tab) return;
    seeking = true;
    lastSeek += 1;
    const token = lastSeek;
    const to = Math.min(tab.facts.ended, Math.max(tab.facts.started, time));
    show(to);
    settle();
    if (!playable) return;
    const slow = setTimeout(() => { note.textContent = LOADING; }, SLOW_MS);
    try {
      if (await load(to, token)) {
        stage.seek(to, playing);
        if (note.textContent === LOADING) note.textContent = '';
      }
    } catch (error) {
      note.textContent = `It can’t be loaded: ${error.message}`;
    } finally {
      clearTimeout(slow);
    }
    if (token === lastSeek) {
      seeking = false;
      section.dataset.shown = String(Math.round(seconds(to) * 1000));
    }
  }

  function setPlaying(on) {
    playing = on && playable && Boolean(tab);
    playButton.textContent = playing ? '❚❚ Pause' : '▶ Play';
    if (!playing) {
      if (tab && stage && loaded) stage.seek(at, false);
      if (tab) settle();
      return;
    }
    seek(at >= tab.facts.ended - 50 && !isRecording(tab.facts) ? tab.facts.started : at);
    requestAnimationFrame(tick);
  }

  function tick() {
    if (!playing) return;
    requestAnimationFrame(tick);
    if (seeking || !loaded) return;
    const time = stage.now();
    show(Math.max(tab.facts.started, time));
    const more = loaded.to < tab.batches.length - 1;
    if (more && time + AHEAD_MS * Number(speed.value) / 2 > loaded.ends && !loaded.appending) {
      const mine = loaded;
      append(Math.max(loaded.to + 1, batchAt(time + AHEAD_MS * Number(speed.value))))
        // Whoever had nothing left to play goes on.
        .then(() => { if (mine === loaded && playing && stage.now() >= mine.ended - 50) stage.seek(stage.now(), true); })
        .catch((error) => { note.textContent = `It can’t be loaded: ${error.message}`; });
    }
    if (skip.checked) {
      const idle = tab.idle.find(([from, to]) => time > from + LEAD_MS && time < to - LEAD_MS * 2);
      if (idle) return void seek(idle[1] - LEAD_MS);
    }
    if (!more && time >= tab.facts.ended - 20 && !isRecording(tab.facts)) setPlaying(false);
  }

  // ---- what is known of a tab

  const isRecording = (facts) => serverNow - millis(facts.last_arrived) < RECENT_MS;

  /** Documents as tabs of a browser: each goes where one has ended. */
  function arrange(pages) {
    const lanes = [];
    for (const page of pages) {
      const begins = page.started + page.offset + OVERLAP_MS;
      const free = lanes.filter((lane) => lane.at(-1).ended + lane.at(-1).offset <= begins);
      const lane = free.sort((a, b) => b.at(-1).ended - a.at(-1).ended)[0];
      if (lane) lane.push(page);
      else lanes.push([page]);
    }
    return lanes.map((lane) => {
      // One clock: the page that tells the most of it tells it for all.
      const sure = lane.reduce((best, page) => ((page.uncertainty ?? Infinity) < (best.uncertainty ?? Infinity) ? page : best));
      const sum = (name) => lane.reduce((total, page) => total + page[name], 0);
      return {
        pages: lane,
        tab: lane[0].tab,
        url: lane[0].url,
        started: Math.min(...lane.map((page) => page.started)),
        ended: Math.max(...lane.map((page) => page.ended)),
        offset: sure.offset,
        uncertainty: sure.uncertainty,
        last_arrived: lane.map((page) => page.last_arrived).sort().at(-1),
        lost: lane.reduce((total, page) => total + Math.max(page.missing, page.dropped), 0),
        version: sum('version'),
      };
    });
  }

  function describe(facts, n) {
    let path = facts.url;
    try {
      path = new URL(facts.url).pathname;
    } catch { /* As it is. */ }
    const more = facts.pages.length > 1 ? ` and ${viewer.session.plural(facts.pages.length - 1, 'more page')}` : '';
    return `Tab ${n + 1}${path ? ` · ${path}` : ''}${more}`;
  }

  const choices = element('tabs');
  function showTabs() {
    choices.hidden = tabs.length < 1;
    const focused = choices.contains(document.activeElement);
    choices.replaceChildren(...tabs.map((facts, n) => make('button', {
      role: 'tab', 'aria-selected': String(facts.tab === tab?.facts.tab), 'aria-controls': 'screen', tabindex: facts.tab === tab?.facts.tab ? '0' : '-1',
      onclick: () => choose(facts.tab),
    }, describe(facts, n), ' ', make('span', { class: 'count' }, axis.clock(facts.ended - facts.started)),
    isRecording(facts) ? make('span', { class: 'chip live-chip' }, 'being recorded') : null,
    facts.lost ? make('span', { class: 'chip refused', title: 'Parts of this recording never arrived.' }, `${facts.lost} missing`) : null,
    facts.uncertainty === null && Math.abs(facts.offset) > 60_000 ? make('span', { class: 'chip', title: 'No request tells how the clocks compare: the times are estimates.' }, 'clock estimated') : null)));
    if (focused) choices.querySelector('[aria-selected="true"]')?.focus();
  }
  choices.addEventListener('keydown', (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || tabs.length < 2) return;
    event.preventDefault();
    event.stopPropagation();
    choose(tabs[(tabs.findIndex((facts) => facts.tab === tab.facts.tab) + step + tabs.length) % tabs.length].tab);
  });

  /** The tab with this page, from the time on that is so far after the page began. */
  async function choose(name, after) {
    const facts = tabs.find((other) => other.pages.some((page) => page.tab === name)) ?? tabs[0];
    if (playing) setPlaying(false);
    tab = { facts, batches: [], moments: [], idle: [], gaps: [], known: new Map() };
    loaded = null;
    const page = facts.pages.find((other) => other.tab === name);
    const time = page && after !== undefined ? page.started + after : undefined;
    await update();
    showTabs();
    await seek(time === undefined ? facts.started : time);
  }

  /** What has arrived since; whether anything has. One at a time, or the same would arrive twice. */
  let updating = Promise.resolve();
  function update() {
    updating = updating.then(fetchNews, fetchNews);
    return updating;
  }

  async function fetchNews() {
    const mine = tab;
    let changed = false;
    const { pages } = mine.facts;
    for (const page of pages) changed = (await updatePage(mine, page)) || changed;
    if (!changed) return false;
    const order = new Map(pages.map((page, n) => [page.tab, n]));
    const end = loaded?.of === mine ? mine.batches[loaded.to] : null;
    mine.batches.sort((a, b) => order.get(a.page) - order.get(b.page) || a.sequence - b.sequence);
    // One that came late belongs between others that are on the stage already.
    if (end && mine.batches[loaded.to] !== end) loaded = null;
    mine.moments.sort((a, b) => a.at - b.at);
    const clicks = new Map();
    for (const moment of mine.moments) {
      if (moment.seen.tag !== 'click') continue;
      const before = clicks.get(moment.seen.payload.what);
      if (before !== undefined && moment.at - before <= REPEATED_MS) moment.again = Math.round(moment.at - before);
      clicks.set(moment.seen.payload.what, moment.at);
    }
    mine.gaps = [];
    mine.batches.forEach((batch, n) => {
      const before = mine.batches[n - 1]?.page === batch.page ? mine.batches[n - 1] : null;
      if (batch.sequence > (before?.sequence ?? -1) + 1) mine.gaps.push([before?.last ?? batch.first, batch.first]);
    });
    mine.idle = idle(mine);
    if (mine === tab) showAll();
    return true;
  }

  async function updatePage(mine, page) {
    const known = mine.known.get(page.tab) ?? { batch: 0, moment: 0, version: -1 };
    if (known.version === page.version) return false;
    mine.known.set(page.tab, known);
    for (let more = true; more;) {
      const index = await json(`/api/replay/${page.tab}?${of}&batch=${known.batch}&moment=${known.moment}`);
      for (const batch of index.batches) mine.batches.push({ ...batch, page: page.tab });
      mine.moments.push(...index.moments);
      known.batch = index.batches.at(-1)?.id ?? known.batch;
      known.moment = index.moments.at(-1)?.id ?? known.moment;
      more = index.more;
    }
    // Only now: what could not be fetched is asked for again.
    known.version = page.version;
    return true;
  }

  /** When nobody did anything, and nothing is told of. */
  function idle({ batches, moments, facts }) {
    const busy = batches.flatMap((batch) => batch.active)
      .concat(facts.pages.map((page) => [page.started, page.started]))
      .concat(moments.filter(({ seen }) => seen.tag !== 'frames' && seen.tag !== 'vital')
        .map(({ at: time, seen: { tag, payload } }) => [tag === 'toast' ? time - payload.shown : tag === 'request' ? payload.start : time, time]))
      .sort((a, b) => a[0] - b[0]);
    const found = [];
    let last = facts.started;
    for (const [from, to] of [...busy, [facts.ended, facts.ended]]) {
      if (from - last > IDLE_MS) found.push([last, from]);
      last = Math.max(last, to);
    }
    return found;
  }

  function showAll() {
    const { facts } = tab;
    axis.show({ from: facts.started, to: facts.ended, moments: tab.moments, gaps: tab.gaps, idle: tab.idle });
    playButton.disabled = !playable;
    showRows();
    show(at || facts.started);
  }

  // ---- the rows beside

  function shortUrl(text) {
    try {
      const url = new URL(text);
      return url.origin === new URL(tab.facts.url).origin ? url.pathname : url.origin + url.pathname;
    } catch {
      return text;
    }
  }

  const bytes = (count) => (count === undefined ? undefined : viewer.session.plural(count, 'byte'));
  const round = (ms) => (ms < 10 ? `${ms.toFixed(1)} ms` : ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);

  const ROWS = {
    request: (p) => ({ panel: 'Network', at: p.start, kind: p.method, text: shortUrl(p.url), chip: `${p.status || 'failed'} · ${round(p.end - p.start)}`, level: p.status === 0 || p.status >= 500 ? 'bad' : p.status >= 400 ? 'warn' : undefined }),
    console: (p) => ({ panel: 'Console', kind: p.level === 'error' ? 'error' : 'warning', text: p.text, level: p.level === 'error' ? 'bad' : 'warn' }),
    error: (p) => ({ panel: 'Console', kind: 'exception', text: p.message, level: 'bad', chip: p.kind === 'rejection' ? 'unhandled' : p.kind === 'reported' ? 'reported' : 'uncaught' }),
    navigation: (p) => ({ kind: 'page', text: shortUrl(p.url), chip: p.how === 'load' ? undefined : p.how }),
    visibility: (p) => ({ kind: 'tab', text: p.state === 'hidden' ? 'went to the background' : 'came to the front' }),
    click: (p, moment) => ({ kind: 'click', text: p.what, level: p.dead || moment.again !== undefined ? 'warn' : undefined, chip: moment.again !== undefined ? `again after ${moment.again} ms` : p.dead ? 'nothing happened' : undefined }),
    invalid: (p) => ({ kind: 'invalid', text: `${p.message} (${p.what})`, level: 'warn', chip: 'validation' }),
    toast: (p, moment) => ({ at: moment.at - p.shown, kind: 'message', text: p.text, level: 'warn', chip: `gone after ${round(p.shown)}` }),
    vital: (p) => ({ kind: 'vital', text: `${p.name} ${p.name === 'CLS' ? p.value.toFixed(3) : round(p.value)}` }),
    'long-frame': (p) => ({ kind: 'frame', everywhere: p.duration >= SLOW_FRAME_MS, text: [`took ${round(p.duration)}`, p.layout >= 1 ? `${round(p.layout)} of it style and layout` : '', p.scripts[0] ? p.scripts[0].source.replace(/^\S*\//, '') || p.scripts[0].invoker : ''].filter(Boolean).join(', '), level: p.duration >= SLOW_FRAME_MS ? 'warn' : undefined, chip: p.duration >= SLOW_FRAME_MS ? 'slow' : undefined }),
    kept: () => ({ kind: 'kept', text: 'the backend keeps this session' }),
    gap: (p) => ({ kind: 'gap', text: `${p.batches} parts were given up by the page`, level: 'warn' }),
  };

  function rowOf(moment) {
    const { tag, payload } = moment.seen;
    const made = ROWS[tag]?.(payload, moment);
    return made && { at: moment.at, everywhere: true, ...made, tag, moment };
  }

  function showRows() {
    const rows = tab.moments.map(rowOf).filter(Boolean);
    for (const [n, [from]] of tab.gaps.entries()) rows.push({ at: from, everywhere: true, kind: 'gap', tag: 'missing', text: 'a part of the recording never arrived', level: 'warn', n });
    const requested = new Map();
    for (const { seen } of tab.moments) if (seen.tag === 'request' && seen.payload.traceId) requested.set(seen.payload.traceId, seen.payload);
    tab.requested = requested;
    for (const { summary } of viewer.session?.traces.values() ?? []) {
      if (!summary.trace_id) continue;
      rows.push({
        at: fromServer(millis(summary.started)), panel: 'Traces', everywhere: !requested.has(summary.trace_id), kind: 'trace', tag: 'trace',
        text: summary.title, chip: viewer.session.duration(summary.nanos), level: summary.errors ? 'bad' : summary.refused ? 'warn' : undefined, trace: summary.trace_id,
      });
    }
    for (const log of logs) {
      rows.push({ at: fromServer(millis(log.time)), panel: 'Logs', everywhere: true, kind: log.service, tag: 'log', text: log.text, level: { error: 'bad', warn: 'warn' }[log.level], log: log.id, trace: log.trace_id });
    }
    rows.sort((a, b) => a.at - b.at);
    for (const row of rows) row.clock = row.at < tab.facts.started ? `−${axis.clock(tab.facts.started - row.at)}` : axis.clock(row.at - tab.facts.started);
    beside.show(rows);
  }

  // ---- what was picked: a request with its waterfall, an error with its stack, a frame with its scripts

  function pick(row) {
    seek(row.at);
    showPicked(row);
  }

  async function showPicked(row) {
    const { trace, log, moment } = row;
    const payload = moment?.seen.payload;
    const close = make('button', { class: 'copy', onclick: () => { picked.hidden = true; } }, 'Close');
    const header = make('header', {}, make('h2', {}, `${row.kind} ${row.text}`), make('span', { class: 'facts' },
      make('time', { datetime: new Date(toServer(row.at)).toISOString() }), make('button', { class: 'copy', 'data-copy': location.origin + link(row.at) }, 'Copy link'), close));
    const body = make('div', { class: 'picked-body' });
    picked.replaceChildren(header, body);
    localTimes(picked);
    const traceId = trace ?? payload?.traceId;
    if (row.tag === 'request') body.append(...viewer.session.group('request', {
      URL: payload.url, status: payload.status || 'failed', error: payload.error, 'in the browser': round(payload.end - payload.start),
      sent: bytes(payload.requestBytes), received: bytes(payload.responseBytes), 'trace ID': payload.traceId,
    }));
    if (row.tag === 'error') body.append(...viewer.session.group('error', { message: payload.message, kind: payload.kind, stack: payload.stack }));
    if (row.tag === 'console') body.append(...viewer.session.group('console', { level: payload.level, text: payload.text }));
    if (row.tag === 'long-frame') body.append(...viewer.session.group('frame', { duration: round(payload.duration), blocking: round(payload.blocking), 'style and layout': round(payload.layout) }),
      ...payload.scripts.flatMap((script, n) => viewer.session.group(`script ${n + 1}`, { source: script.source, invoker: script.invoker, duration: round(script.duration), 'forced style and layout': round(script.forcedLayout) })));
    picked.hidden = !traceId && !body.children.length && !log;
    if (log) {
      try {
        body.append(...viewer.session.groups(await json(`/api/records/log/${log}`)));
      } catch {
        body.append(make('p', { class: 'dim' }, 'It is not kept any more.'));
      }
    }
    const twin = row.tag === 'request' && twinOf(moment);
    if (twin) {
      const both = [moment.seen.payload, twin.seen.payload].sort((a, b) => a.start - b.start);
      body.append(make('h3', {}, `Sent twice, ${round(both[1].start - both[0].start)} apart`),
        make('div', { class: 'pair' }, ...both.map((request) => make('div', { class: 'side' },
          make('p', {}, `${axis.clock(request.start - tab.facts.started)} ${request.method} ${shortUrl(request.url)} `,
            make('span', { class: `chip ${request.status === 0 || request.status >= 500 ? 'bad' : ''}` }, String(request.status || 'failed'))),
          ...waterfall(request.traceId)))));
    } else {
      body.append(...waterfall(traceId));
    }
  }

  /** What servers did for a request. */
  function waterfall(traceId) {
    if (!traceId) return [];
    const known = viewer.session.traces.get(traceId);
    if (!known) return [make('p', { class: 'dim' }, `Nothing of trace ${traceId} has arrived: it may be on its way, or not sampled.`)];
    const trace = new viewer.session.Trace(known.summary, 'picked-');
    trace.setOpen(true);
    return [trace.element];
  }

  /** The same request, sent again at about the same time. */
  function twinOf(moment) {
    const { method, url, start } = moment.seen.payload;
    return tab.moments
      .filter((other) => other !== moment && other.seen.tag === 'request' && other.seen.payload.method === method
        && other.seen.payload.url === url && Math.abs(other.seen.payload.start - start) <= TWICE_MS)
      .sort((a, b) => Math.abs(a.seen.payload.start - start) - Math.abs(b.seen.payload.start - start))[0];
  }

  /** A trace that a link leads to, as soon as it is there. */
  async function pickWanted() {
    const trace = wanted.get('trace');
    if (!trace || !viewer.session.traces.has(trace) || !tab) return;
    wanted.delete('trace');
    const moment = tab.moments.find(({ seen }) => seen.tag === 'request' && seen.payload.traceId === trace);
    const { summary } = viewer.session.traces.get(trace);
    await showPicked(moment ? rowOf(moment) : { at: fromServer(millis(summary.started)), kind: 'trace', tag: 'trace', text: summary.title, trace });
  }

  // ---- controls

  playButton.addEventListener('click', () => setPlaying(!playing));
  element('back').addEventListener('click', () => seek(at - STEP_MS));
  element('forward').addEventListener('click', () => seek(at + STEP_MS));
  speed.addEventListener('change', () => stage?.speed(Number(speed.value)));
  fit.addEventListener('change', () => stage?.fit(fit.checked));
  document.addEventListener('keydown', (event) => {
    if (!tab || event.ctrlKey || event.metaKey || event.altKey) return;
    const { target } = event;
    if (target.matches('input, select, textarea, [contenteditable]')) return;
    if (event.key === ' ' && !target.matches('button, a')) {
      event.preventDefault();
      setPlaying(!playing);
    }
    const step = { ArrowLeft: -STEP_MS, ArrowRight: STEP_MS }[event.key];
    if (step && !event.shiftKey) {
      event.preventDefault();
      seek(at + step);
    }
  });

  // ---- live

  let asked = 0;
  async function refresh() {
    const answer = await json(`/api/replay?${of}`);
    serverNow = millis(answer.now);
    tabs = arrange(answer.tabs);
    if (!tabs.length) return;
    section.hidden = false;
    mount();
    if (!tab) {
      const t = Number.parseFloat(wanted.get('t'));
      await moreLogs();
      // The page need not wait for the picture.
      choose(wanted.get('tab') ?? tabs[0].tab, Number.isFinite(t) ? t * 1000 : undefined).then(pickWanted);
      return;
    }
    const facts = tabs.find((other) => other.tab === tab.facts.tab);
    // A page that was thought to follow is open at the same time.
    const isOther = !facts || tab.facts.pages.some((page, n) => page.tab !== facts.pages[n]?.tab);
    if (isOther) {
      const page = pageAt(at);
      return choose(page.tab, at - page.started);
    }
    const offset = tab.facts.offset;
    tab.facts = facts;
    const [more, moved] = [await moreLogs(), offset !== facts.offset];
    if (!(await update()) && (more || moved)) showRows();
    showTabs();
    await pickWanted();
  }

  async function moreLogs() {
    if (asked && asked === viewer.session.version?.()) return false;
    asked = viewer.session.version?.() ?? 0;
    const before = logs.length;
    for (;;) {
      const next = await json(`/api/logs?${of}&after=${logs.at(-1)?.id ?? 0}`);
      logs = logs.concat(next);
      if (next.length < 5000) return logs.length !== before;
    }
  }

  async function tracesChanged() {
    if (!tab) return;
    await moreLogs();
    showRows();
    await pickWanted();
  }

  viewer.watch = {
    refresh,
    tracesChanged,
    isRecorded: () => tabs.length > 0,
    /** To a moment by the servers' clock, without moving the page. */
    seekTo(time) {
      if (tab && fromServer(time) >= tab.facts.started - 1000 && fromServer(time) <= tab.facts.ended + 1000) seek(fromServer(time));
    },
    /** The browser's interval of a trace, on the servers' clock. */
    requestOf(trace) {
      const request = tab?.requested?.get(trace);
      return request && { from: toServer(request.start), to: toServer(request.end), status: request.status, text: `${request.method} ${shortUrl(request.url)}` };
    },
  };
})();
