// Usage: node draw.mjs ANSWERS PICTURES: each ANSWERS/*.json becomes PICTURES/*.png.
import { existsSync, readdirSync, readFileSync, writeFileSync, mkdirSync } from 'node:fs';
import { basename, delimiter, join } from 'node:path';

import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import UPNG from 'upng-js';

const COLOURS = 128;
// Nobody is asked there: a page without an address may not use what Grafana's library uses.
const ORIGIN = 'http://pictures.invalid';
const PAGE = '<!doctype html><link rel="stylesheet" href="board.css"><body></body><script src="board.js"></script>';
const [answers, pictures] = process.argv.slice(2);

await build({
  entryPoints: ['board.jsx'],
  outfile: 'board.js',
  bundle: true,
  format: 'iife',
  jsx: 'automatic',
  logLevel: 'error',
  define: { 'process.env.NODE_ENV': '"production"', global: 'window' },
  loader: { '.woff2': 'dataurl', '.woff': 'empty', '.svg': 'dataurl', '.png': 'dataurl', '.ttf': 'empty' },
});

mkdirSync(pictures, { recursive: true });
const executablePath = process.env.CHROMIUM || found('chromium', 'chromium-browser', 'google-chrome');
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--font-render-hinting=none'] });
try {
  for (const file of readdirSync(answers).filter((name) => name.endsWith('.json'))) {
    const told = JSON.parse(readFileSync(join(answers, file), 'utf8'));
    const page = await browser.newPage({ viewport: { width: told.width, height: 800 } });
    page.on('pageerror', (error) => console.error(`${file}: ${error}`));
    await page.route('**/*', serve);
    await page.goto(`${ORIGIN}/`);
    const height = await page.evaluate((board) => window.draw(board), told);
    await page.setViewportSize({ width: told.width, height: Math.ceil(height) });
    await page.waitForTimeout(1500);
    const drawn = UPNG.decode(await page.screenshot());
    const quantised = Buffer.from(UPNG.encode(UPNG.toRGBA8(drawn), drawn.width, drawn.height, COLOURS));
    const picture = join(pictures, `${basename(file, '.json')}.png`);
    writeFileSync(picture, quantised);
    console.log(`${picture} ${drawn.width}x${drawn.height} ${Math.ceil(quantised.length / 1000)} kB`);
    await page.close();
  }
} finally {
  await browser.close();
}

/** Where the first of these programs is that is installed. */
function found(...names) {
  for (const folder of process.env.PATH.split(delimiter)) {
    for (const name of names) {
      if (existsSync(join(folder, name))) {
        return join(folder, name);
      }
    }
  }
  throw new Error('Chromium is needed: install it, or set CHROMIUM to its path');
}

function serve(route) {
  const { pathname } = new URL(route.request().url());
  if (pathname === '/') {
    return route.fulfill({ contentType: 'text/html', body: PAGE });
  }
  const icon = pathname.replace(/^.*\/img\//, 'node_modules/@grafana/ui/dist/public/img/');
  const path = icon.startsWith('node_modules') ? icon : pathname.slice(1);
  return existsSync(path) ? route.fulfill({ path }) : route.fulfill({ status: 204 });
}
