// Bundles the scripts of this folder into the folder above: `node bundle.js`, after `npm ci`.
import { readFile } from 'node:fs/promises';
import { build } from 'esbuild';

/** Leaves out how rrweb records a canvas, which is never asked of it: a tenth of the whole script. */
const withoutCanvas = {
  name: 'without-canvas',
  setup({ onLoad }) {
    onLoad({ filter: /@rrweb\/record\/dist\/record\.js$/ }, async ({ path }) => {
      const whole = await readFile(path, 'utf8');
      const parts = /^const jsContent = [^]*?^class CanvasManager \{[^]*?^class StylesheetManager/m;
      if (!parts.test(whole)) throw new Error('@rrweb/record is another than this was written for');
      const rest = 'class CanvasManager { reset() {} freeze() {} unfreeze() {} lock() {} unlock() {} }\nclass StylesheetManager';
      return { contents: whole.replace(parts, () => rest) };
    });
  },
};

await build({
  entryPoints: ['replay.js', 'player.js'],
  outdir: '..',
  bundle: true,
  minify: true,
  format: 'iife',
  target: 'es2022',
  charset: 'utf8',
  logLevel: 'error',
  plugins: [withoutCanvas],
});
