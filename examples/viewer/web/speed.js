// How the page feels: Core Web Vitals, long animation frames, and a coarse frame rate.
import { onCLS, onFCP, onINP, onLCP, onTTFB } from 'web-vitals';
import { bare } from './clean.js';
import { observe, quietly } from './quietly.js';
import { note } from './record.js';

const MOST_SCRIPTS = 3;
/** The frame rate is measured over so many frames, but no longer than this, in ms. */
const FRAMES = 5;
const LONGEST = 500;
/** As frames are asked for, it costs something: seldom while the page is smooth, once a second otherwise. */
const SMOOTH = 50;
const PAUSES = [1_000, 10_000];

const round = (/** @type {number} */ ms) => Math.round(ms * 10) / 10;

let next = 0;
let isMeasuring = false;

/** Something is going on in the page: a good time to look how smooth it is. */
export function isBusy() {
  if (isMeasuring || performance.now() < next || document.visibilityState == 'hidden') return;
  isMeasuring = true;
  let start = 0;
  let frames = 0;
  const frame = (/** @type {number} */ now) => quietly(() => {
    start ||= now;
    const ms = now - start;
    if (document.visibilityState == 'hidden') isMeasuring = false;
    else if (frames < FRAMES && ms < LONGEST) {
      frames++;
      requestAnimationFrame(frame);
    } else {
      isMeasuring = false;
      const fps = Math.round((frames * 1_000) / ms);
      next = performance.now() + PAUSES[Number(fps > SMOOTH)];
      note('frames', { fps, ms: Math.round(ms) });
    }
  });
  requestAnimationFrame(frame);
}

/** It may be a script, or an element by its address: `IMG[src="…"].onload`. @param {string} invoker */
const invokerOf = (invoker) =>
  (/^[a-z]+:/i.test(invoker) ? bare(invoker) : invoker.replace(/(?<=\[src="?)[^"\]]+/, (url) => bare(url))).slice(0, 200);

export function start() {
  for (const on of [onCLS, onFCP, onINP, onLCP, onTTFB])
    quietly(/** @type {(tell: (metric: import('web-vitals').Metric) => void) => void} */ (on), ({ name, value }) => note('vital', { name, value: Math.round(value * 1_000) / 1_000 }));
  observe('long-animation-frame', (entry) => {
    const { duration, startTime, blockingDuration, styleAndLayoutStart, scripts } = entry;
    const forced = scripts.reduce((/** @type {number} */ sum, /** @type {any} */ script) => sum + script.forcedStyleAndLayoutDuration, 0);
    const end = startTime + duration;
    note('long-frame', {
      duration: round(duration),
      blocking: round(blockingDuration),
      layout: round(forced + (styleAndLayoutStart ? end - styleAndLayoutStart : 0)),
      scripts: [...scripts].sort((a, b) => b.duration - a.duration).slice(0, MOST_SCRIPTS).map((script) => ({
        source: bare(script.sourceURL) + (script.sourceFunctionName ? ` ${script.sourceFunctionName}` : ''),
        invoker: invokerOf(script.invoker),
        duration: round(script.duration),
        forcedLayout: round(script.forcedStyleAndLayoutDuration),
      })),
    }, Math.round(performance.timeOrigin + end));
  });
}
