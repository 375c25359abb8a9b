import { Agent, get } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { startConsole, type TestConsole } from '../scripts/services/console'
import { startRedis, type TestRedis } from '../scripts/services/redis'
import { Ledger } from '../src/allowance/ledger'
import { Restrictions } from '../src/allowance/restriction'
import { ensureEpoch } from '../src/registry/epoch'
import { DAY, HOUR, MINUTE } from '../src/reporting/calendar'
import type { Store } from '../src/store/store'
import { beat } from '../test/support/nodes'
import { record, type Mail } from '../test/support/reports'
import { play, Scenario } from '../test/unusual/scenario'
import { PATIENCE } from './charge'
import { commandsDuring, cpuTime, residentMemory, withRedisCpu } from './measure'
import { atMost, megabytes, whole, type Row, type Section } from './row'
import { noteMail, seedConnectors, seedTenant, seedTenants } from './seed'
import { Times } from './stats'
import { openStore } from './store'

const TWO_WINDOWS = '300/1h, 1500/1d'
const TENANT = 'contoso'
const DAYS = 90
/** Rows of an hour and of a day, as many as they may have. */
const ROWS = 450
/** Days of which each hour is kept. */
const HOURLY = 8
const CONNECTORS = 50
const DOMAINS = 1000
const RESTRICTED = 10
const PROCESSES = 24
const BROWSERS = 50
/** How often a page asks for what is live, in ms. */
const POLL = 5000
/** Each browser opens another page this often, in ms. */
const READING = 30_000
/** Answers of one browser alone, of each page. */
const ALONE = 20
/** The targets: an answer in ms; the memory at the end, of that after a tenth of the time. */
const LONGEST = 300
const MOST_GROWTH = 1.2

const FULL = { tenants: 100_000, ms: 600_000 }
const QUICK = { tenants: 10_000, ms: 20_000 }

/** All pages that list something, and those of the tenant with full reports. */
const PAGES = [
  ...['/', '/restricted', '/connectors', '/cases', '/events', '/audit', '/nodes', '/doctor'],
  ...['/unattributed', '/enforcement', '/glossary', '/explain', '/search?q=tenant0999'],
  ...[`/cases/${TENANT}:1`, `/incidents/${TENANT}`],
  ...[
    ...['', '/domains', '/connectors', '/cases', '/audit', '/settings'],
    ...['/report', '/report?days=90', '/report?by=hour', '/report/print'],
    '/register?domain=d7.example',
  ].map((each) => `/tenants/${TENANT}${each}`),
] as const

/** What the pages of `tenantctl console` take. */
export const consolePages: Section = {
  name: 'console',
  title: 'Pages of tenantctl console',
  meaning:
    `${RESTRICTED} tenants are restricted, ${PROCESSES} processes report, and one tenant has reports of ${DAYS} days with ` +
    `${ROWS} rows each, of each hour in the last ${HOURLY}, ${whole(DOMAINS)} domains and ${CONNECTORS} connectors. ` +
    `${BROWSERS} browsers have a page open, which asks every ${POLL / 1000} s for what is live, and open another one every ` +
    `${READING / 1000} s. The commands and keys are those of one answer to a browser alone.`,
  async run({ quick, say }) {
    const { tenants, ms } = quick ? QUICK : FULL
    const redis = await startRedis()
    const store = await openStore(redis.port)
    try {
      say('filling Redis')
      await fill(store, tenants)
      const server = await startConsole({ redis: { host: '127.0.0.1', port: redis.port } })
      return { rows: await measured(redis, store, server, ms, say) }
    } finally {
      store.client.disconnect()
      await redis.stop()
    }
  },
}

async function measured(
  redis: TestRedis,
  { client }: Store,
  server: TestConsole,
  ms: number,
  say: (step: string) => void,
): Promise<Row[]> {
  say('one browser')
  const one = await Visitor.at(server, 0)
  const rows = new Map<string, string>()
  for (const page of PAGES) {
    await one.open(page)
    const commands = await commandsDuring(redis, () => one.open(page))
    const keys = new Set(
      commands.flatMap(({ words }) => words.filter((each) => each.startsWith('ud:'))),
    )
    rows.set(
      page,
      `${whole(commands.filter((each) => !each.isInScript).length)} commands, ${whole(keys.size)} keys`,
    )
    for (let times = 0; times < ALONE; times++) await one.open(page)
  }
  say(`${BROWSERS} browsers, ${ms / 1000} s`)
  const visitors: Visitor[] = []
  while (visitors.length < BROWSERS) visitors.push(await Visitor.at(server, visitors.length))
  const until = performance.now() + ms
  const cpuBefore = cpuTime(server.pid)
  const memory: number[] = []
  const watch = async (): Promise<void> => {
    while (performance.now() < until) {
      memory.push(residentMemory(server.pid))
      await sleep(ms / 100)
    }
  }
  const { cpu } = await withRedisCpu(client, () =>
    Promise.all([watch(), ...visitors.map((each) => each.read(until))]),
  )
  const all = [one, ...visitors]
  const answers = all.reduce((sum, { answered }) => sum + answered, 0)
  const [early, late] = [memory[Math.floor(memory.length / 10)]!, memory.at(-1)!]
  return [
    ...PAGES.map((page) =>
      pageRow(page, timesOf(visitors, page), timesOf([one], page), rows.get(page)!),
    ),
    pageRow('what is live, every 5 s', timesOf(visitors, ''), undefined, ''),
    {
      what: 'memory of the console at the end, resident',
      figure: `${megabytes(late)}, ${(late / early).toFixed(2)} ×`,
      detail: `after a tenth of the time ${megabytes(early)}, the most ${megabytes(Math.max(...memory))}; ${whole(answers)} answers`,
      target: atMost(MOST_GROWTH, late / early, ' ×'),
      numbers: { bytes: memory },
    },
    {
      what: 'CPU of Redis, of the console',
      figure: `${((cpu / ms) * 0.1).toFixed(1)} %, ${(((cpuTime(server.pid) - cpuBefore) / ms) * 0.1).toFixed(1)} %`,
      numbers: { redisUs: cpu, ms },
    },
  ]
}

function pageRow(page: string, busy: Times, alone: Times | undefined, reads: string): Row {
  const p95 = busy.quantile(0.95)
  const spread = `p50 ${busy.quantile(0.5).toFixed(1)} ms, longest of ${whole(busy.count)} ${busy.longest.toFixed(1)} ms`
  const quiet = alone && `one browser alone: p95 ${alone.quantile(0.95).toFixed(1)} ms`
  return {
    what: `${page}, p95`,
    figure: `${p95.toFixed(1)} ms`,
    detail: [spread, quiet, reads].filter(Boolean).join('; '),
    target: atMost(LONGEST, p95, ' ms'),
    numbers: { p95Ms: p95, count: busy.count },
  }
}

function timesOf(visitors: readonly Visitor[], page: string): Times {
  const times = new Times()
  for (const each of visitors) for (const ms of each.times.get(page) ?? []) times.add(ms)
  return times
}

/** A person with a browser. */
class Visitor {
  /** By page; of what is live: by an empty one. In ms. */
  readonly times = new Map<string, number[]>()
  answered = 0
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 1 })
  private tag = ''

  private constructor(
    private readonly url: string,
    private readonly cookie: string,
    private readonly number: number,
  ) {}

  /** Each is another person: a person has fewer sessions than there are browsers. */
  static async at(server: TestConsole, number: number): Promise<Visitor> {
    return new Visitor(server.url, await server.signIn('admin', `person${number}`), number)
  }

  /** Opens pages, and stays on each for a while. */
  async read(until: number): Promise<void> {
    // They do not begin in the same moment.
    await sleep((POLL * this.number) / BROWSERS)
    for (let at = this.number; performance.now() < until; at++) {
      const page = PAGES[at % PAGES.length]!
      await this.open(page)
      for (let spent = 0; spent < READING && performance.now() < until; spent += POLL) {
        await sleep(POLL)
        await this.ask(page, '', { 'hx-request': 'true', 'hx-ptag': this.tag })
      }
    }
    this.agent.destroy()
  }

  open(page: string): Promise<void> {
    return this.ask(page, page, {})
  }

  private async ask(
    page: string,
    as: string,
    more: Readonly<Record<string, string>>,
  ): Promise<void> {
    const headers = { cookie: this.cookie, ...more }
    const begun = performance.now()
    const { status, tag } = await answerTo(this.url + page, headers, this.agent)
    const times = this.times.get(as) ?? []
    times.push(performance.now() - begun)
    this.times.set(as, times)
    this.answered++
    if (status >= 400) throw new Error(`${page} got ${status}`)
    this.tag = tag ?? this.tag
  }
}

interface Answer {
  readonly status: number
  readonly tag: string | undefined
}

function answerTo(
  url: string,
  headers: Readonly<Record<string, string>>,
  agent: Agent,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    get(url, { headers, agent }, (response) => {
      const { statusCode = 0, headers: got } = response
      const tag = got['hx-ptag'] as string | undefined
      text(response).then(() => resolve({ status: statusCode, tag }), reject)
    }).on('error', reject)
  })
}

async function fill(store: Store, count: number): Promise<void> {
  // Where no registry has begun, nothing can be changed.
  await ensureEpoch(store)
  const ledger = new Ledger(store, PATIENCE)
  const { idAt } = await seedTenants(store, count, { limits: TWO_WINDOWS, ledger })
  const ids = Array.from({ length: count }, (_, at) => idAt(at))
  await noteMail(store, ids)
  for (let at = 0; at < PROCESSES; at++) await beat(store, { id: `mx${at % 6}/${at}` })
  const domains = Array.from({ length: DOMAINS }, (_, at) => `contoso-${at}.com`)
  await seedTenant(store, TENANT, ['contoso.com', ...domains], { limits: TWO_WINDOWS })
  await seedConnectors(store, TENANT, CONNECTORS)
  await fillReports(store)
  const restrictions = new Restrictions(store)
  for (const id of [TENANT, ...ids.slice(0, RESTRICTED - 1)]) {
    await restrictions.place(id, { scope: 'unregistered', by: 'bench', reason: 'bench' })
  }
}

async function fillReports(store: Store): Promise<void> {
  const now = Date.now()
  const today = Math.floor(now / DAY) * DAY
  const days = Array.from({ length: DAYS }, (_, day) => today - day * DAY)
  for (const [number, day] of days.entries()) {
    const hours = number < HOURLY ? 24 : 1
    const mails = Array.from({ length: hours }, (_, hour) => day + hour * HOUR)
      .filter((at) => at <= now)
      .flatMap((at) => Array.from({ length: ROWS }, (_, row) => mailOf(at, row)))
    await play(store, TENANT, new Scenario().send(...mails))
  }
  for (let minute = 0; minute < 120; minute++) {
    await record(store, TENANT, mailOf(now - minute * MINUTE, minute))
  }
}

function mailOf(at: number, row: number): Mail {
  return {
    ...{ at, accepted: 3, refused: 1, connector: `${TENANT}/mail-${row % 3}` },
    ...{ domain: `d${row % 100}.example`, ip: `192.0.2.${row % 50}`, user: `user${row % 47}` },
  }
}
