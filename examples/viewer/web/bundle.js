// Bundles the scripts of this folder into the folder above: `node bundle.js`, after `npm ci`.
import { readFile } from 'node:fs/promises';
import { build } from 'esbuild';

/** What rrweb is never asked for: canvases, frames of other origins, images and fonts as data, and custom elements. A fifth of it. */
const UNUSED = [
  [/^const jsContent = [^]*?^class CanvasManager \{[^]*?^\}$/m,
    'class CanvasManager { reset() {} freeze() {} unfreeze() {} lock() {} unlock() {} }'],
  [/^class CrossOriginIframeMirror \{[^]*?^\}$/m, 'class CrossOriginIframeMirror { reset() {} }'],
  [/^  handleMessage\(message\) \{[^]*?^\}$/m, '  handleMessage() {}\n}'],
  [/^const DEPARTED_MIRROR_ACCESS_WARNING = [^]*?^function throttle/m, 'function throttle'],
  // pointer.js
  [/^function initMoveObserver\([^]*?^\}$/m, 'const initMoveObserver = () => () => {};'],
  [/^function initFontObserver\([^]*?^\}$/m, 'const initFontObserver = () => () => {};'],
  [/^function initCustomElementObserver\([^]*?^\}$/m, 'const initCustomElementObserver = () => () => {};'],
  [/^class BaseRRNode \{[^]*?^\}$/m, 'class BaseRRNode {}'],
  [/^function is2DCanvasBlank\([^]*?^\}$/m, ''],
  [/^  if \(tagName === "canvas" && recordCanvas\) \{[^]*?^  \}/m, ''],
  [/^  if \(tagName === "img" && inlineImages\) \{[^]*?^  \}/m, ''],
];

/** Comparing two styles, rrweb sets an attribute: the page's Content Security Policy may complain of each. */
const COMPLAINED_OF = [[/old\.setAttribute\("style", m\.oldValue\)/, 'old.style.cssText = m.oldValue']];

const withChanges = {
  name: 'with-changes',
  setup({ onLoad }) {
    onLoad({ filter: /@rrweb\/record\/dist\/record\.js$/ }, async ({ path }) => {
      let contents = await readFile(path, 'utf8');
      for (const [part, rest] of [...UNUSED, ...COMPLAINED_OF]) {
        if (!part.test(contents)) throw new Error(`@rrweb/record has no ${part}: look what it has instead`);
        contents = contents.replace(part, () => rest);
      }
      return { contents };
    });
  },
};

const options = {
  outdir: '..',
  bundle: true,
  minify: true,
  format: 'iife',
  target: 'es2022',
  charset: 'utf8',
  logLevel: 'error',
};

await build({ ...options, entryPoints: ['player.js'] });
// What rrweb has to say in the console is nothing that the page said.
await build({ ...options, entryPoints: ['replay.js'], drop: ['console'], plugins: [withChanges] });
