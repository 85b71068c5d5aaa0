// The stage: plays the events of a recording in a document that may load nothing. The session's page tells it what to
// play, and fetches the events.
import { Replayer } from '@rrweb/replay';
import '@rrweb/replay/dist/style.css';
import { harmless, isEvent } from './harmless.js';

/** One broken event spoils itself only. */
class Careful extends Replayer {
  applyIncremental(...event) {
    try {
      super.applyIncremental(...event);
    } catch { /* What it was to change stays as it was. */ }
  }

  rebuildFullSnapshot(...event) {
    try {
      super.rebuildFullSnapshot(...event);
    } catch { /* What was built of it is shown. */ }
  }
}

/** rrweb's types of events. */
const FULL_SNAPSHOT = 2;
const INCREMENTAL = 3;
const META = 4;

const SILENT = { log() {}, warn() {}, error() {} };

/** Lines of JSON, one per batch, as events. */
function read(lines) {
  const events = lines.split('\n').filter(Boolean).flatMap((line) => JSON.parse(line).events).filter(isEvent).map(harmless);
  // rrweb forgets everything before an announced picture, also if none follows.
  return events.filter((event, n) => event.type !== META
    || events.slice(n + 1).find(({ type }) => type === FULL_SNAPSHOT || type === INCREMENTAL)?.type !== INCREMENTAL);
}

let replayer = null;
let base = 0;
let ends = 0;
/** When a picture was announced, and when it was taken: in between there is nothing to see. */
let pictures = [];
let size = { width: 1024, height: 768 };
let fit = true;

function place() {
  const wrapper = replayer?.wrapper;
  if (!wrapper) return;
  const scale = fit ? Math.min(innerWidth / size.width, innerHeight / size.height) : 1;
  wrapper.style.transform = `translate(${fit ? Math.max(0, (innerWidth - size.width * scale) / 2) : 0}px, 0) scale(${scale})`;
}

function note(events) {
  let announced = null;
  for (const { type, timestamp } of events) {
    if (type === META) announced = timestamp;
    if (type === FULL_SNAPSHOT && announced !== null) pictures.push([announced, timestamp]);
    if (type === FULL_SNAPSHOT) announced = null;
  }
}

const stage = {
  onsize: null,
  /** Begins anew with these batches, and shows the page as it was. */
  open(lines, at, playing) {
    const events = read(lines);
    replayer?.destroy();
    replayer = null;
    document.body.replaceChildren();
    const pictured = events.find((event) => event.type === FULL_SNAPSHOT);
    if (events.length < 2 || !pictured) return false;
    replayer = new Careful(events, {
      root: document.body,
      triggerFocus: false,
      mouseTail: false,
      showWarning: false,
      logger: SILENT,
      UNSAFE_replayCanvas: false,
    });
    replayer.iframe.title = 'The recorded page';
    replayer.iframe.tabIndex = -1;
    base = replayer.getMetaData().startTime;
    ends = replayer.getMetaData().endTime;
    replayer.on('resize', (to) => {
      if (!(to?.width > 0 && to.height > 0)) return;
      size = { width: Math.min(to.width, 10_000), height: Math.min(to.height, 10_000) };
      stage.onsize?.(size);
      place();
    });
    replayer.on('fullsnapshot-rebuilded', place);
    pictures = [[0, pictured.timestamp]];
    note(events);
    this.seek(at, playing);
    return true;
  },
  append(lines) {
    const events = read(lines);
    note(events);
    for (const event of events) {
      ends = Math.max(ends, event.timestamp);
      replayer?.addEvent(event);
    }
  },
  seek(at, playing) {
    const to = (pictures.find(([from, until]) => from <= at && at <= until)?.[1] ?? at - 1) + 1;
    if (playing) replayer?.play(to - base);
    else replayer?.pause(to - base);
  },
  speed(speed) {
    replayer?.setConfig({ speed });
  },
  fit(on) {
    fit = on;
    document.body.classList.toggle('actual', !on);
    place();
  },
  /** By the browser's clock, in milliseconds. */
  now() {
    return replayer ? Math.min(base + replayer.getCurrentTime(), ends) : 0;
  },
};

addEventListener('resize', place);
// Not before: rrweb leaves the document of its frame open, and a page that is still loading would wait for that.
addEventListener('load', () => {
  window.stage = stage;
  window.parent.dispatchEvent(new Event('stage-ready'));
});
