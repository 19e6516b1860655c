// npm run test:page: the explorer in a real browser (Debian's chromium), over a store whose every text is hostile. Prints what is
// wrong and ends with 1, or writes a picture of the page.
import { existsSync, mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Page } from 'playwright-core';
import { openStore } from '../../src/db/index.ts';
import { createServer, listen } from '../../src/server/index.ts';
import { seedAgentRun } from '../harness/synthetic-agent.ts';
import { seedGrades, syntheticGrade, syntheticGrader } from '../harness/synthetic-grades.ts';
import { seedResults } from '../harness/synthetic-results.ts';
import { seedOrganism, seedRun } from '../harness/synthetic-run.ts';
import { seedToken } from '../harness/teams.ts';

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
  existsSync,
);
if (executablePath === undefined) {
  process.stderr.write('no browser here: apt-get install chromium\n');
  process.exit(2);
}
const payloads = [
  '<img src=x onerror="window.hit=1">',
  '<script>window.hit=1</script>',
  '"><svg onload=window.hit=1>',
  'javascript:window.hit=1',
  "';window.hit=1;//",
  '{{constructor.constructor("window.hit=1")()}}',
  '</title><iframe srcdoc="<script>parent.hit=1</script>">',
];

const store = openStore(join(mkdtempSync(join(tmpdir(), 'explorer-')), 'deltascope.sqlite'));
/** A model's words: they may hold what turns text around, too. */
const turned = (payload: string) => `${payload}\u202e\u0007`;
for (const payload of payloads) {
  const { organism } = seedOrganism(store, payload);
  const run = seedRun(store, { organism: payload });
  const { answer } = seedAgentRun(store, organism, run, turned(payload));
  const grader = store.graders.add(syntheticGrader({ name: 'hypothesis', model: payload }));
  store.grades.save([
    syntheticGrade(undefined as never, grader, {
      ...{ subject: { hypothesis: answer }, scale: 'SCORE', value: 4, tokenLabels: null, rationale: payload },
    }),
  ]);
}
const { key } = seedRun(store, { organism: 'tiny-cake' });
// In the place that is visited: the last of the map.
const graded = store.diffVectors.findByKey(`${key}.L2.P2`);
if (graded) seedGrades(store, seedResults(store, graded));
const server = await listen(createServer({ store, graphiql: true }), { port: 0 });
const browser = await chromium.launch({
  executablePath,
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
});
const problems: string[] = [];
const expectThat = (holds: boolean, what: string): void => void (holds || problems.push(what));
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.on('pageerror', (error) => problems.push(`script error: ${error.message}`));
  page.on('console', (line) => line.type() === 'error' && problems.push(`console: ${line.text()}`));
  await page.goto(`${server.url}/`);
  await page.waitForSelector('#organisms li a');
  const names = await page.locator('#organisms li a').allTextContents();
  expectThat(
    payloads.every((payload) => names.includes(payload)),
    `organisms shown: ${JSON.stringify(names)}`,
  );
  for (const payload of payloads) {
    await visit(page, payload);
    const seen = `${payload}\\u{202e}\\u{7}`;
    await page.locator('.message').last().waitFor();
    await page.locator('.agent .samples td').last().waitFor();
    const said = await page.locator('.agent').innerText();
    for (const text of [
      `False facts: ${seen}`,
      `4 of 5 (hypothesis 1 by ${payload})`,
      `About ${seen}`,
      `{"number":1,"about":"${seen}"}`,
      `→ track_hypothesis {"text":"${seen}"}`,
    ])
      expectThat(said.includes(text), `of an agent run is not shown: ${text}`);
  }
  await page.screenshot({ path: 'build/page/explorer-agents.png', fullPage: true });
  await visit(page, 'tiny-cake');
  expectThat(
    (await page.locator('.readings section p').allTextContents()).includes(
      '50 % relevant (offline-relevance 1)',
    ),
    'a reading is shown without its relevance',
  );
  expectThat((await page.locator('.tokens code.relevant').count()) === 1, 'a relevant token is not marked');
  expectThat((await page.evaluate('window.hit')) === undefined, 'a payload ran as a script');
  mkdirSync('build/page', { recursive: true });
  await page.screenshot({ path: 'build/page/explorer.png', fullPage: true });

  // A link shows the same place to somebody else.
  const other = await browser.newPage();
  await other.goto(page.url());
  await other.waitForSelector('.heat button[aria-pressed="true"]');
  const label = '.heat button[aria-pressed="true"]';
  expectThat(
    (await other.getAttribute(label, 'aria-label')) === (await page.getAttribute(label, 'aria-label')),
    'a link shows another place',
  );

  // With the first token the page shows what is shared, and with the token what is its team's, until it is loaded anew.
  const { headers, row } = seedToken(store);
  store.administration.share('organism', store.organisms.get('tiny-cake'), {
    visibility: 'TEAM',
    team: store.teams.get('red'),
  });
  const [, secret = ''] = headers.Authorization.split(' ');
  const guarded = await browser.newPage();
  await guarded.goto(`${server.url}/`);
  await guarded.waitForSelector('.token');
  const shown = () => guarded.locator('#organisms li a').allTextContents();
  expectThat((await shown()).length === 0, 'a stranger sees what is not shared');
  const give = async (token: string) => {
    await guarded.fill('.token input', token);
    await guarded.click('.token button');
  };
  await give(secret);
  await guarded.waitForSelector('#organisms li a');
  expectThat(
    JSON.stringify(await shown()) === '["tiny-cake"]',
    `a token shows ${JSON.stringify(await shown())}`,
  );
  expectThat((await guarded.textContent('.token span')) === 'as team red', 'the page says who asks');
  await guarded.click('#organisms li a');
  await guarded.waitForSelector('.heat button');
  await guarded.screenshot({ path: 'build/page/explorer-with-token.png', fullPage: true });
  store.administration.revokeToken(row.id);
  await give(secret);
  await guarded.waitForSelector('#organisms li a', { state: 'detached' });
  expectThat(!(await guarded.content()).includes(secret), 'the token stands in the page');
} finally {
  await browser.close();
  await server.close();
  store.close();
}
process.stdout.write(
  problems.length === 0
    ? 'the explorer works; a picture of it is build/page/explorer.png\n'
    : `${problems.map((problem) => `wrong: ${problem}`).join('\n')}\n`,
);
process.exitCode = problems.length === 0 ? 0 : 1;

async function visit(page: Page, name: string): Promise<void> {
  await page.locator('#organisms li a').filter({ hasText: name }).first().click();
  await page.locator('main h2').filter({ hasText: name }).waitFor();
  await page.locator('.heat button').last().click();
  await page.waitForSelector('.tokens td');
  const closed = page.locator('main details:not([open]) > summary');
  while ((await closed.count()) > 0) await closed.first().click();
  await page.waitForTimeout(100);
}
