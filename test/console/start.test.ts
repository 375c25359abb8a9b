import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import { scratchDir } from '../../scripts/services/scratch'
import { tenantctl } from '../../scripts/services/tenantctl'
import { waitFor } from '../../scripts/services/wait-for'
import { startConsole, type TestConsole } from '../support/console'
import { startRedis, type TestRedis } from '../support/redis'
import { Terminal } from '../support/terminal'

let redis: TestRedis
let served: TestConsole
before(async () => {
  redis = await startRedis()
  served = await startConsole({ redis: { port: redis.port } })
})
after(async () => {
  await served.stop()
  await redis.stop()
})

function command(...args: string[]) {
  return tenantctl(['--config', served.configDir, ...args])
}

/** The button of a link. */
function press(link: string, headers: Record<string, string> = {}): Promise<Response> {
  const all = { origin: served.url, ...headers }
  return fetch(link, {
    method: 'POST',
    redirect: 'manual',
    headers: all,
    body: new URLSearchParams(),
  })
}

/** Sends octets as they are. Returns all that is answered until the connection is closed. */
async function raw(request: string): Promise<string> {
  const { hostname, port } = new URL(served.url)
  const connection = connect(Number(port), hostname)
  await once(connection, 'connect')
  connection.on('error', () => {})
  connection.write(request, 'latin1')
  return text(connection)
}

describe('tenantctl console', () => {
  it('signs a person in by a link, once, and says so in its log', async () => {
    const link = await served.link('operator', 'ann')
    const form = await (await fetch(link)).text()
    assert.match(form, /Sign in as ann \(\w+\) on \S+, operator/)
    const sent = await press(link)
    assert.equal(sent.status, 303)
    const set = sent.headers.get('set-cookie') ?? ''
    assert.match(
      set,
      new RegExp(`^ud-${new URL(served.url).port}=\\S+; Path=/; HttpOnly; SameSite=Lax$`),
    )
    const [cookie = ''] = set.split(';')
    const page = await (await fetch(`${served.url}/`, { headers: { cookie } })).text()
    assert.match(page, /ann \(\w+\), operator/)
    const again = await press(link)
    assert.equal(again.status, 404)
    assert.match(await again.text(), /It was used, or is older than ten minutes/)
    assert.match(served.log, /ann \(\w+\) signed in by a link as operator, from 127\.0\.0\.1\n/)
    assert.match(served.log, /sign-in failed from 127\.0\.0\.1: a link that was used, is over/)
    for (const secret of [new URL(link).pathname.split('/').at(-1)!, cookie.split('=')[1]!]) {
      assert.ok(!served.log.includes(secret))
    }
  })

  it('does not sign in for a page of another site, and the link still works', async () => {
    const link = await served.link('viewer')
    for (const headers of [
      { origin: 'null' },
      { origin: 'https://lure.example' },
      { origin: served.url, 'sec-fetch-site': 'cross-site' },
    ]) {
      const answer = await press(link, headers)
      assert.equal(answer.headers.get('set-cookie'), null)
      assert.match(await answer.text(), /You are not signed in: the form was/)
    }
    assert.equal((await press(link)).status, 303)
  })

  it('lists sessions, and ends them', async () => {
    const cookie = await served.signIn('viewer', 'dora')
    const { stdout } = await command('console', 'sessions', 'list', '--json')
    const { sessions } = JSON.parse(stdout) as { sessions: Record<string, string>[] }
    const session = sessions.find(({ person }) => person?.startsWith('dora'))
    assert.deepEqual([session?.['role'], session?.['by']], ['viewer', 'console'])
    assert.match(
      (await command('console', 'sessions', 'list')).stdout,
      /dora \(\w+\) +viewer +console/,
    )
    const ended = await command('console', 'sessions', 'revoke', session!['id']!)
    assert.deepEqual([ended.status, ended.stdout], [0, 'ended 1 session\n'])
    assert.equal((await fetch(served.url, { headers: { cookie } })).status, 401)
    const none = await command('console', 'sessions', 'revoke', session!['id']!)
    assert.equal(none.status, 3)
    assert.match(none.stderr, /there is no session/)
  })

  it('prints its link to a terminal, and to nothing else', async () => {
    assert.doesNotMatch(served.log, /sign-in\//)
    const configDir = scratchDir('console')
    const state = path.join(configDir, 'state')
    const ini = `[redis]\nport=${redis.port}\n[console]\nlisten=127.0.0.1:0\nstate=${state}\n`
    writeFileSync(path.join(configDir, 'unregistered-domain.ini'), ini)
    const terminal = new Terminal({ columns: 160 })
    terminal.run('--config', configDir, 'console')
    const screen = await terminal.shows(/sign-in\/\S{43}/)
    const [link = ''] = /http:\S+sign-in\/\S+/.exec(screen) ?? []
    assert.match(await (await fetch(link)).text(), /Sign in as .*, admin/)
    terminal.type('C-c')
    await terminal.shows(/status 0/)
    terminal.close()
  })

  it('keeps its files to its user, and has its directory to itself', async () => {
    const state = path.join(served.configDir, 'state')
    const control = path.join(state, 'control')
    assert.equal(statSync(state).mode & 0o777, 0o700)
    assert.equal(statSync(control).mode & 0o777, 0o600)
    const second = await command('console')
    assert.equal(second.status, 1)
    assert.match(second.stderr, /cannot listen on \S+control: another process listens there/)
    const open = scratchDir('open')
    const configDir = scratchDir('console')
    mkdirSync(path.join(open, 'state'), { mode: 0o755 })
    const ini = `[redis]\nport=${redis.port}\n[console]\nstate=${path.join(open, 'state')}\n`
    writeFileSync(path.join(configDir, 'unregistered-domain.ini'), ini)
    const refused = await tenantctl(['--config', configDir, 'console'])
    assert.equal(refused.status, 2)
    assert.match(refused.stderr, /cannot be the directory of the console: it has mode 0755/)
  })

  it('says that none runs, and how to make one', async () => {
    const site = scratchDir('none')
    const ini = `[console]\nstate=${path.join(site, 'state')}\n`
    writeFileSync(path.join(site, 'unregistered-domain.ini'), ini)
    const { status, stderr } = await tenantctl([
      ...['--redis', redis.url, '--config', site, 'console', 'link'],
    ])
    assert.equal(status, 1)
    assert.match(stderr, /no console runs with this directory: start tenantctl console/)
  })

  it('goes on after an end by SIGKILL, with the socket that is left', async () => {
    const left = await startConsole({ redis: { port: redis.port } })
    process.kill(left.pid, 'SIGKILL')
    const ini = readFileSync(path.join(left.configDir, 'unregistered-domain.ini'), 'utf8')
    const state = /state=(\S+)/.exec(ini)![1]!
    await waitFor(() => !isAlive(left.pid))
    const next = await startConsole({ redis: { port: redis.port }, console: { state } })
    assert.match(await next.link('viewer'), /sign-in/)
    await next.stop()
    assert.match(next.log, /^tenantctl: console at \S+\n$/)
  })

  it('ends at SIGTERM with its requests answered and its sockets removed', async () => {
    const ending = await startConsole({ redis: { port: redis.port } })
    await ending.stop()
    assert.throws(() => statSync(path.join(ending.configDir, 'state', 'control')), /ENOENT/)
  })
})

describe('a client of the console', () => {
  it('has 16 KB for a header', async () => {
    const answer = await raw(`GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'a'.repeat(17_000)}\r\n\r\n`)
    assert.match(answer, /^HTTP\/1\.1 431 /)
  })

  it('has 64 KB for a form', async () => {
    const cookie = await served.signIn('viewer')
    const body = 'a'.repeat(65_537)
    const headers = {
      cookie,
      origin: served.url,
      'content-type': 'application/x-www-form-urlencoded',
    }
    const answer = await fetch(`${served.url}/sign-out`, { method: 'POST', headers, body })
    assert.equal(answer.status, 413)
    assert.match(await answer.text(), /larger than 64 KB/)
  })

  it('has to name the console in Host', async () => {
    const { host, port } = new URL(served.url)
    for (const [name, status] of [
      [host, 401],
      [`localhost:${port}`, 401],
      [`LOCALHOST:${port}`, 401],
      ['localhost', 421],
      ['lure.example', 421],
      [`lure.example:${port}`, 421],
      [`${host}.lure.example`, 421],
      [`lure.example@${host}`, 421],
    ] as const) {
      const answer = await raw(`GET / HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`)
      assert.match(answer, new RegExp(`^HTTP/1\\.1 (?:${status}|400) `), name)
    }
  })
})

describe('a console without Redis', () => {
  it('starts, signs people in, and goes on once Redis is there', async () => {
    const other = await startRedis()
    await other.kill()
    const early = await startConsole({ redis: { port: other.port } })
    const cookie = await early.signIn('viewer')
    const away = await fetch(`${early.url}/`, { headers: { cookie } })
    assert.equal(away.status, 503)
    assert.match(await away.text(), /Redis does not answer/)
    await other.restart()
    const page = (): Promise<Response> => fetch(`${early.url}/`, { headers: { cookie } })
    await waitFor(async () => (await page()).status === 200)
    assert.equal(early.log.match(/ECONNREFUSED/g)?.length, 1)
    assert.match(early.log, /answers again\n$/)
    await early.stop()
    await other.stop()
  })
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
