import { startHaraka } from '../../scripts/services/haraka'
import { hostNamed } from '../../scripts/services/host-named'
import type { Ini } from '../../scripts/services/ini'
import { freePort } from '../../scripts/services/port'
import { startRedis } from '../../scripts/services/redis'
import { Sink } from '../../scripts/services/sink'
import type { Mail as Message, Sent, SessionOptions } from '../../scripts/services/smtp'
import { tenantctl } from '../../scripts/services/tenantctl'
import { waitFor } from '../../scripts/services/wait-for'
import { HOUR } from '../../src/reporting/calendar'
import { days, LATER, NOW, play, Scenario, TODAY } from '../unusual/scenario'
import { begun } from './alerts'
import { Mailbox, type Arrived } from './mailbox'
import { connectionIniTrusting } from './proxy'
import { TestRelay } from './relay'
import { recorded, type Mail } from './reports'

/** Recipients an hour that a tenant may have from other domains. */
const LIMIT = 120
/** What the console proposes for a probation: a fifth. */
export const PROBATION = LIMIT / 5
export const LURE = 'lure.example'
export const ONCALL = 'oncall@relay.example'
const NODES = 2
/** Recipients of each message of the intruder. */
const VICTIMS = 5
/** Haraka's own queue takes it, not the sink. */
const QUEUED = { 'X-Sink': 'pass' }

/** The servers of the tenants, each at the address that its connector names. */
const SERVERS = {
  'contoso/exchange': { proxyFrom: '198.51.100.10', helo: 'exchange.contoso.com' },
  'contoso/web': { proxyFrom: '203.0.113.24', helo: 'www.contoso.com' },
  'tailspin/exchange': { proxyFrom: '198.51.100.20', helo: 'exchange.tailspin.com' },
  'tailspin/web': { proxyFrom: '203.0.113.28', helo: 'www.tailspin.com' },
  'fabrikam/postfix': { proxyFrom: '198.51.100.77', helo: 'mail.fabrikam.com' },
  'northwind/mx': { proxyFrom: '198.51.100.90', helo: 'mx.northwind.com' },
} as const satisfies Readonly<Record<string, SessionOptions>>

type Server = keyof typeof SERVERS
const NAMES = Object.keys(SERVERS) as Server[]
/** Those whose web server is taken over. */
export type Victim = 'contoso' | 'tailspin'

const TENANTS = {
  contoso: 'Contoso Ltd',
  tailspin: 'Tailspin Toys',
  fabrikam: 'Fabrikam Inc',
  northwind: 'Northwind Traders',
} as const

/**
 * A relay at night. Two of its tenants have a server for mail and one for their web site, which is taken over. A host
 * `mx1` of two processes, and a mailbox for alerts.
 */
export class Night {
  private constructor(
    readonly relay: TestRelay,
    readonly mailbox: Mailbox,
    /** The ini file of a console that alerts link to. */
    readonly consoleIni: Ini,
  ) {}

  static async begin(): Promise<Night> {
    const [mailbox, port] = await Promise.all([Mailbox.start(), freePort()])
    const redis = await startRedis({ args: ['--appendonly', 'yes'] })
    const haraka = await startHaraka({
      redis,
      nodes: NODES,
      preload: hostNamed('mx1'),
      plugins: ['relay', 'unregistered-domain', 'route', Sink.plugin],
      localPlugins: { route: routeTo(mailbox.port) },
      relayFrom: Object.values(SERVERS).map(({ proxyFrom }) => proxyFrom),
      config: {
        'connection.ini': connectionIniTrusting('127.0.0.1'),
        // What cannot be delivered now is tried again long after the night.
        'outbound.ini': 'temp_fail_intervals=4h*20\n',
      },
      settings: {
        alerts: { mail_to: ONCALL },
        console: { public_url: `http://127.0.0.1:${port}` },
      },
    })
    const relay = new TestRelay(redis, [haraka])
    const night = new Night(relay, mailbox, {
      redis: { host: '127.0.0.1', port: redis.port },
      console: { listen: `127.0.0.1:${port}` },
    })
    await begun(relay.store, 2)
    await night.enrol()
    await night.evening()
    return night
  }

  get configDir(): string {
    return this.relay.haraka.configDir
  }

  async stop(): Promise<void> {
    await Promise.all([this.relay.stop(), this.mailbox.stop()])
  }

  send(from: Server, mail: Message): Promise<Sent> {
    return this.relay.haraka.send({ ...mail, session: SERVERS[from] })
  }

  /** @throws Error where the mail is not accepted. */
  async passes(server: Server, from: string, ...to: string[]): Promise<void> {
    const { last } = await this.send(server, { from, to, headers: QUEUED })
    if (last.code !== 250) throw new Error(`mail of ${from} got ${String(last)}`)
  }

  /** So many recipients, whose mail is delivered. */
  guests(count: number): string[] {
    return Array.from({ length: count }, (_, at) => `guest${at}@far.example`)
  }

  /**
   * Honest mail, then the intruder at the web server until the tenant is restricted, and all of it is in its report.
   *
   * @returns the mail about it.
   */
  async takeOver(tenant: Victim): Promise<Arrived> {
    await this.passes(`${tenant}/exchange`, `anna@${tenant}.com`, 'bob@customer.example')
    await this.passes(`${tenant}/exchange`, `orders@${tenant}.de`, 'carl@customer.example')
    await this.passes(`${tenant}/exchange`, 'talks@conference.example', 'dora@slow.example')
    const client = await this.relay.haraka.connect(SERVERS[`${tenant}/web`])
    for (let number = 1; !(await this.relay.restriction(tenant)); number++) {
      const to = Array.from({ length: VICTIMS }, (_, at) => `victim${number}-${at}@slow.example`)
      const id = `<${number}.${(number * 7919).toString(36)}@${LURE}>`
      await client.send({ from: `win@${LURE}`, to, headers: { ...QUEUED, 'Message-ID': id } })
    }
    await client.quit()
    const { store } = this.relay
    await waitFor(async () => (await recorded(store, tenant, 'unregistered')) >= LIMIT)
    return this.mailbox.waitFor(
      ONCALL,
      `High: Tenant restricted from sending unprovisioned email: ${tenant}`,
    )
  }

  /** What an operator types. @throws Error where it fails. */
  async types(...words: string[]): Promise<void> {
    const { status, stderr } = await tenantctl(['--config', this.configDir, ...words])
    if (status !== 0) throw new Error(`tenantctl ${words.join(' ')}: ${stderr}`)
  }

  /** One tenant is on probation, and another one near its limit. */
  private async evening(): Promise<void> {
    const by = ['northwind', '--by', 'bob', '--reason']
    await this.types('block', ...by, 'reported by a recipient')
    await this.types('unblock', ...by, 'a newsletter', '--limits', '50/1h', '--for', '7d')
    await this.passes('fabrikam/postfix', 'news@agency.example', ...this.guests(100))
  }

  private async enrol(): Promise<void> {
    const { registry, store, haraka } = this.relay
    for (const [tenant, name] of Object.entries(TENANTS)) {
      await registry.tenants.add(tenant, { name, limits: `${LIMIT}/1h` }, BY)
      const domain = { domain: `${tenant}.com`, subdomains: false, shared: false }
      await registry.domains.add(tenant, [domain], BY)
      const servers = NAMES.filter((each) => each.startsWith(`${tenant}/`))
      for (const server of servers) {
        const identities = { ip: [`${SERVERS[server].proxyFrom}/32`] }
        await registry.connectors.add(tenant, server.slice(tenant.length + 1), identities, BY)
      }
      await play(store, tenant, new Scenario().send(...usually(tenant, servers[0]!)), LATER)
    }
    // They were registered long ago, and not tonight.
    const trails = Object.keys(TENANTS).map((tenant) => store.keys.audit(tenant))
    const { tenantsAudit, connectorsAudit } = store.keys
    await store.client.del(tenantsAudit, connectorsAudit, ...trails)
    for (const server of NAMES) {
      const address = `probe@${server.split('/')[0]}.com`
      await haraka.attributed(SERVERS[server], server, address)
    }
  }
}

/** Who has registered the tenants. */
const BY = 'ann'

/** Six weeks in which a tenant sent every day, also from a domain of its own that it forgot to register. */
function usually(tenant: string, server: Server): Mail[] {
  const { proxyFrom: ip } = SERVERS[server]
  const common = { connector: server, ip }
  const lately = Array.from({ length: 22 }, (_, hour): Mail => {
    const accepted = 8 + ((hour * 7 + tenant.length) % 17)
    return { ...common, at: NOW - (hour + 1) * HOUR, class: 'registered', accepted }
  })
  const before = days(1, 40).flatMap((day): Mail[] => {
    const at = TODAY - day * 24 * HOUR + 10 * HOUR
    const more = (day * tenant.length) % 5
    return [
      { ...common, at, class: 'registered', accepted: 40 + 9 * more },
      { ...common, at, domain: `${tenant}.de`, accepted: 6 + more },
      { ...common, at, domain: 'conference.example', accepted: 1 + (more % 3) },
    ]
  })
  return [...before, ...lately]
}

/** Delivers all mail to a mailbox; that to slow.example waits in the queue. */
function routeTo(port: number): string {
  return `exports.hook_get_mx = (next, hmail, domain) =>
    domain === 'slow.example'
      ? next(DENYSOFT, 'busy')
      : next(OK, { priority: 0, exchange: '127.0.0.1', port: ${port} })`
}
