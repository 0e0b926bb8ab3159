/** Names that traffic is made of: server names by weight of appearance, paths, user agents. All under reserved domains. */

const HOSTS = ['www', 'cdn', 'api', 'static', 'video', 'mail', 'img', 'login', 'edge-7', 'assets', 'play', 'news'];
const SITES = [
  'harbour',
  'kiwi-video',
  'lantern',
  'meadow',
  'northwind',
  'orchard',
  'paperboat',
  'quarry',
  'riverbank',
  'saltmarsh',
  'tidepool',
  'umbra',
  'velvet',
  'willow',
  'yarrow',
  'zephyr',
  'basalt',
  'cinder',
  'driftwood',
  'ember',
];
const ENDS = ['example.com', 'example.net', 'example.org', 'example'];

/** All server names, a few hundred, always in the same order. */
export const SERVER_NAMES: readonly string[] = SITES.flatMap((site, i) =>
  HOSTS.map((host, j) => `${host}.${site}.${ENDS[(i + j) % ENDS.length]}`),
);

export const PATHS: readonly string[] = [
  '/',
  '/index.html',
  '/search?q=iris',
  '/assets/app.js',
  '/img/banner.png',
  '/api/v1/items?page=2',
  '/robots.txt',
  '/video/segment-00042.m4s',
  '/login',
  '/feed.xml',
];

export const USER_AGENTS: readonly string[] = [
  'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0',
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36',
  'curl/8.5.0',
  'Wget/1.21.4',
];
