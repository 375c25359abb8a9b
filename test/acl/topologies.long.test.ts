import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { formatIni, type Ini } from '../../scripts/services/ini'
import {
  startHaraka,
  scratchDir,
  startRedisCluster,
  startRedisSentinel,
  tenantctl,
  TestRelay,
  waitFor,
} from '../support'
import { aclLine, PASSWORD, refused, rulesOf, type Role } from '../support/acl'
import { startClusterRelay, type RelayCluster } from '../support/cluster'
import type { TestRedis } from '../support/redis'
import type { RelayRedis } from '../support/relay'
import { REPLY } from '../support/replies'

type Section = Ini[string]

/** The rules that docs/redis.md appends for a Cluster. */
const FOR_CLUSTER = ['+cluster|slots', '+cluster|info', '+readonly']

/** See docs/redis.md: the doctor works without them. */
const DOCTOR = ['tenantctl: command config|get']

const ROLES: Role[] = ['plugin', 'tenantctl']

/** As in docs/redis.md for Redis 7: the plugin may only read what tenantctl alone writes. */
function narrowed(role: Role): string {
  const line = aclLine(role)
  return role === 'plugin' ? line.replace(/~ud:\{@(owners|connectors)\}/g, '%R$&') : line
}

async function addUsers(servers: readonly TestRedis[], roles: Role[], more: string[] = []) {
  for (const server of servers) {
    const admin = server.client()
    for (const role of roles) {
      const [, ...words] = narrowed(role).split(' ')
      await admin.call('ACL', 'SETUSER', ...words, `>${PASSWORD}`, ...more)
    }
  }
}

async function allRefused(servers: readonly TestRedis[]): Promise<string[]> {
  const lists = await Promise.all(servers.map((server) => refused(server.client())))
  return [...new Set(lists.flat())]
}

/** Counted, tripped, lifted by tenantctl, and refunded. */
async function useRelay(relay: TestRelay<RelayRedis>, settings: Section): Promise<void> {
  const config = scratchDir('config')
  const redis = { ...settings, username: rulesOf('tenantctl').user }
  writeFileSync(path.join(config, 'unregistered-domain.ini'), formatIni({ redis }))
  const ctl = async (...args: string[]): Promise<string> => {
    const run = await tenantctl(['--config', config, ...args])
    assert.equal(run.status, 0, `${args.join(' ')}: ${run.stdout}${run.stderr}`)
    return run.stdout
  }
  const tenant = await relay.tenant('contoso', { limits: '2/1h' })
  const mail = { from: 'x@elsewhere.example', to: 'a@far.example' }
  const client = await tenant.connect()
  await client.mail(mail.from)
  await client.rcpt(mail.to)
  await client.rset()
  await waitFor(async () => (await tenant.used()) === 0)
  await client.quit()
  const many = { ...mail, to: ['a@far.example', 'b@far.example', 'c@far.example'] }
  assert.equal((await tenant.send(many)).last.raw, REPLY.blocked)
  await waitFor(async () => /contoso/.test(await ctl('restricted')))
  await waitFor(async () => /^contoso +restricted/m.test(await ctl('top', '--once')))
  await ctl('domain', 'add', 'contoso', 'more.example', '--subdomains')
  // Again where a busy machine takes longer than a person waits.
  const inForce = /^in force on (\d+) of \1 process(es)? on 1 host, in /m
  await waitFor(async () => inForce.test(await ctl('unblock', 'contoso', '--reason', 'test')))
  await waitFor(async () => (await tenant.send(mail)).delivered)
  const doctor = await tenantctl(['--config', config, 'doctor'])
  assert.match(doctor.stdout, /consistency: .* are consistent/)
  await ctl('tenant', 'add', 'fabrikam')
}

describe('the users of docs/acl, by ACL SETUSER', { concurrency: 2 }, () => {
  it('on a Redis Cluster, with the rules for it', async (t) => {
    const cluster = await startRedisCluster({ replicas: 1 })
    t.after(() => cluster.stop())
    const servers = cluster.nodes.map(({ redis }) => redis)
    await addUsers(servers, ROLES, FOR_CLUSTER)
    const login = { username: rulesOf('plugin').user, password: PASSWORD }
    const relay: TestRelay<RelayCluster> = await startClusterRelay(cluster, {
      nodes: 2,
      settings: { redis: login, tenants: { apply: false } },
    })
    t.after(() => relay.stop())
    await useRelay(relay, { ...login, cluster: cluster.addresses })
    assert.deepEqual(await allRefused(servers), DOCTOR)
  })

  it('on Sentinel, with a user for the sentinels', async (t) => {
    const group = await startRedisSentinel()
    t.after(() => group.stop())
    await addUsers(group.nodes, ROLES)
    await addUsers(group.sentinels, ['sentinel'])
    const login = { username: rulesOf('plugin').user, password: PASSWORD }
    const settings = {
      ...login,
      ...group.settings,
      sentinel_username: rulesOf('sentinel').user,
      sentinel_password: PASSWORD,
    }
    const haraka = await startHaraka({
      nodes: 2,
      settings: { redis: settings, tenants: { apply: false } },
    })
    t.after(() => haraka.stop())
    const relay = new TestRelay({ client: () => group.client(), stop: () => group.stop() }, [
      haraka,
    ])
    await useRelay(relay, settings)
    // The next primary has the users too.
    const former = await group.primary()
    await former.kill()
    await group.failedOver(former)
    const tenant = await relay.tenant('woodgrove')
    const mail = { from: 'x@elsewhere.example', to: 'a@far.example' }
    await waitFor(async () => (await tenant.send(mail)).delivered)
    const running = group.nodes.filter((node) => node !== former)
    assert.deepEqual(await allRefused([...running, ...group.sentinels]), [])
  })
})
