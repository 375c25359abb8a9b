import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer, request, type IncomingHttpHeaders, type Server } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import { noNginx, startNginx, type TestNginx } from '../../scripts/services/nginx'
import { freePort } from '../../scripts/services/port'
import { scratchDir } from '../../scripts/services/scratch'
import { packageRoot } from '../../src/base/package-root'
import { startConsole, type TestConsole } from '../support/console'
import { startRedis, type TestRedis } from '../support/redis'

const SECRET = '0123456789abcdef0123456789abcdef'

/** The users of the login in front, and their groups. */
const GROUPS: Readonly<Record<string, string>> = {
  'ann@example.org': 'staff,mail',
  'bob@example.org': 'staff,helpdesk',
  'eve@example.org': 'staff',
}

type Headers = Readonly<Record<string, string | string[]>>

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** Sends a request through a server of nginx. */
async function ask(port: number, to: string, headers: Headers, form?: string): Promise<Answer> {
  const method = form === undefined ? 'GET' : 'POST'
  const sent = request({ host: '127.0.0.1', port, path: to, method, headers })
  sent.end(form)
  const [answer] = (await once(sent, 'response')) as [import('node:http').IncomingMessage]
  return { status: answer.statusCode!, headers: answer.headers, body: await text(answer) }
}

describe('a console behind nginx', { skip: noNginx }, () => {
  const socket = path.join(scratchDir('socket'), 'http.sock')
  let redis: TestRedis
  let login: Server
  let overSocket: TestConsole
  let withSecret: TestConsole
  let direct: number
  let nginx: TestNginx
  let documented: number
  let guarded: number
  let careless: number

  before(async () => {
    redis = await startRedis()
    login = createServer(({ headers }, response) => {
      const [, user = ''] = /\blogin=([^;]+)/.exec(headers.cookie ?? '') ?? []
      if (user === '') return void response.writeHead(401).end()
      const groups = GROUPS[user] ?? ''
      const facts = { 'X-Auth-Request-Email': user, 'X-Auth-Request-Groups': groups }
      response.writeHead(202, facts).end()
    })
    login.listen(0, '127.0.0.1')
    await once(login, 'listening')
    const file = path.join(scratchDir('secret'), 'secret')
    writeFileSync(file, SECRET, { mode: 0o600 })
    direct = await freePort()
    const common = {
      ...{ auth: 'proxy', user_header: 'X-User', groups_header: 'X-Groups' },
      ...{ viewers: '@helpdesk', operators: '@mail', trusted_proxies: '127.0.0.0/8' },
    }
    overSocket = await startConsole({
      redis: { port: redis.port },
      console: { ...common, listen: `unix:${socket}`, public_url: 'https://console.example.org' },
    })
    withSecret = await startConsole({
      redis: { port: redis.port },
      console: {
        ...{ ...common, public_url: 'https://relay.example/relay' },
        ...{ listen: `127.0.0.1:${direct}`, proxy_secret_file: file },
      },
    })
    nginx = await startNginx(servers())
    ;[documented = 0, guarded = 0, careless = 0] = nginx.ports
  })
  after(async () => {
    await nginx.stop()
    await Promise.all([overSocket.stop(), withSecret.stop()])
    login.close()
    await redis.stop()
  })

  /** The server of docs/console.md; one with the secret, below a path; one that passes on what clients send. */
  function servers(): string[] {
    const page = readFileSync(path.join(packageRoot(), 'docs/console.md'), 'utf8')
    const [, example = ''] = /```nginx\n([^]*?)```/.exec(page) ?? []
    const { port } = login.address() as AddressInfo
    const pass = `proxy_set_header Host $host; proxy_pass http://127.0.0.1:${direct};`
    return [
      example
        .replace('443 ssl', '127.0.0.1:PORT')
        .replaceAll('127.0.0.1:4180', `127.0.0.1:${port}`)
        .replace('/run/unregistered-domain-console/http.sock', socket),
      `server { listen 127.0.0.1:PORT; location /relay/ {
        proxy_set_header X-User $http_x_login; proxy_set_header X-Groups $http_x_login_groups;
        proxy_set_header X-Console-Secret ${SECRET};
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; ${pass} } }`,
      `server { listen 127.0.0.1:PORT; location / { ${pass} } }`,
    ]
  }

  /** Through the server of the documentation, as a user of the login in front; empty: nobody. */
  function as(user: string, headers: Headers = {}, to = '/', form?: string): Promise<Answer> {
    const cookie = [`login=${user}`, headers['cookie'] ?? ''].join('; ')
    return ask(documented, to, { host: 'console.example.org', ...headers, cookie }, form)
  }

  it('knows the person by the login of the proxy, with the role of the lists', async () => {
    const ann = await as('ann@example.org')
    assert.equal(ann.status, 200)
    assert.match(ann.body, /ann@example\.org, operator/)
    assert.match((await as('bob@example.org')).body, /bob@example\.org, viewer/)
    const eve = await as('eve@example.org')
    assert.equal(eve.status, 403)
    assert.match(eve.body, /eve@example\.org is signed in, but in no list/)
    const nobody = await as('')
    assert.equal(nobody.status, 302)
    assert.match(nobody.headers.location ?? '', /\/oauth2\/sign_in\?rd=\//)
  })

  it('does not see what a client writes into the headers of the proxy, however often', async () => {
    for (const forged of [
      { 'x-user': 'ann@example.org' },
      { 'X-USER': ['ann@example.org', 'ann@example.org'] },
      { 'x-groups': 'mail' },
      { 'x-user': 'ann@example.org', 'x-groups': ['mail', 'mail'] },
      { x_user: 'ann@example.org', x_groups: 'mail' },
    ]) {
      assert.equal((await as('eve@example.org', forged)).status, 403)
      assert.match((await as('bob@example.org', forged)).body, /bob@example\.org, viewer/)
    }
  })

  it('has a session of the person, which a write needs with its token and its origin', async () => {
    const page = await as('ann@example.org')
    const [set = ''] = page.headers['set-cookie'] ?? []
    assert.match(set, /^__Host-ud-443=\S+; Path=\/; HttpOnly; Secure; SameSite=Lax$/)
    const [cookie = ''] = set.split(';')
    const [, token = ''] = /name="token" value="([\w-]{43})"/.exec(page.body) ?? []
    const type = { 'content-type': 'application/x-www-form-urlencoded' }
    const origin = 'https://console.example.org'
    const out = (headers: Headers, form = `token=${token}`): Promise<Answer> =>
      as('ann@example.org', { cookie, ...type, ...headers }, '/sign-out', form)
    for (const [headers, form] of [
      [{}, undefined],
      [{ origin: 'null' }, undefined],
      [{ origin: 'http://console.example.org' }, undefined],
      [{ origin: 'https://lure.example' }, undefined],
      [{ origin, 'sec-fetch-site': 'same-site' }, undefined],
      [{ origin }, 'token=x'],
    ] as const) {
      assert.equal((await out(headers, form)).status, 403, JSON.stringify(headers))
    }
    const others = { cookie, origin, ...type }
    assert.equal((await as('bob@example.org', others, '/sign-out', `token=${token}`)).status, 403)
    const again = await as('ann@example.org')
    const [renewed = ''] = (again.headers['set-cookie']?.[0] ?? '').split(';')
    const [, fresh = ''] = /name="token" value="([\w-]{43})"/.exec(again.body) ?? []
    const ended = await out({ origin, cookie: renewed }, `token=${fresh}`)
    assert.equal(ended.status, 200)
    assert.match(ended.body, /The proxy before this console still knows who you are/)
  })

  it('lets nobody but the user and the group of the console to its socket', () => {
    assert.equal(statSync(socket).mode & 0o777, 0o660)
  })

  it('lets a person of the host in by a link, through the proxy', async () => {
    const link = new URL(await overSocket.link('viewer', 'root'))
    assert.equal(link.origin, 'https://console.example.org')
    const headers = { origin: link.origin, 'content-type': 'application/x-www-form-urlencoded' }
    const sent = await as('ann@example.org', headers, link.pathname, '')
    assert.equal(sent.status, 303)
    const [cookie = ''] = (sent.headers['set-cookie']?.[0] ?? '').split(';')
    assert.match((await as('ann@example.org', { cookie })).body, /root[^<]*, viewer/)
  })

  describe('with a secret, below a path', () => {
    const host = 'relay.example'
    const user = { host, 'x-login': 'ann@example.org', 'x-login-groups': 'mail' }

    it('has all links, cookies and files below the path', async () => {
      const page = await ask(guarded, '/relay/', user)
      assert.equal(page.status, 200)
      assert.match(page.body, /ann@example\.org, operator/)
      const [set = ''] = page.headers['set-cookie'] ?? []
      assert.match(set, /^__Secure-ud-443=\S+; Path=\/relay\/; HttpOnly; Secure; SameSite=Lax$/)
      const links = [...page.body.matchAll(/(?:href|src|action|data-hx-get)="([^"]*)"/g)]
      assert.ok(links.length > 5)
      for (const [, to = ''] of links) assert.match(to, /^(?:\/relay\/|#)/)
      const [, style = ''] = /href="([^"]*\.css[^"]*)"/.exec(page.body) ?? []
      assert.equal((await ask(guarded, style, user)).status, 200)
      assert.equal((await ask(guarded, '/relay/nowhere', user)).status, 404)
      assert.equal((await ask(direct, '/', user)).status, 404)
    })

    it('believes no header without the secret, and says so in its log', async () => {
      for (const headers of [
        { 'x-user': 'ann@example.org', 'x-groups': 'mail' },
        { 'x-user': 'ann@example.org', 'x-groups': 'mail', 'x-console-secret': 'guess' },
        { 'x-user': 'ann@example.org', 'x-groups': 'mail', 'x-console-secret': `${SECRET} ` + 'x' },
      ]) {
        const answer = await ask(careless, '/relay/', { host, ...headers })
        assert.equal(answer.status, 403)
        assert.match(answer.body, /does not have the secret of the proxy/)
      }
      assert.equal((await ask(careless, '/relay/', { host })).status, 401)
      assert.match(withSecret.log, /sign-in failed from 127\.0\.0\.1: The header x-console-secret/)
      assert.ok(!withSecret.log.includes('guess'))
    })

    it('refuses headers that come twice', async () => {
      const secret = `X-Console-Secret: ${SECRET}`
      for (const lines of [
        [secret, 'X-User: bob@example.org', 'X-User: ann@example.org'],
        [secret, 'X-User: ann@example.org', 'x-user: ann@example.org'],
        [secret, 'X-User: ann@example.org', 'X-Groups: staff', 'X-Groups: mail'],
        [secret, secret, 'X-User: ann@example.org'],
      ]) {
        const connection = connect(direct, '127.0.0.1')
        const head = ['GET /relay/ HTTP/1.1', `Host: ${host}`, 'Connection: close', ...lines]
        connection.write(`${head.join('\r\n')}\r\n\r\n`)
        const answer = await text(connection)
        assert.match(answer, /^HTTP\/1\.1 400 /)
        assert.match(answer, /came twice: the proxy has to set it alone/)
      }
    })

    it('knows a client by the last address that is no proxy', async () => {
      const headers = { ...user, 'x-forwarded-for': '203.0.113.9, 192.0.2.7' }
      await ask(guarded, '/relay/', { ...headers, 'x-login': 'bob@example.org' })
      assert.match(withSecret.log, /bob@example\.org signed in .* from 192\.0\.2\.7\n/)
    })

    it('makes one client wait after ten dead links, and not the others', async () => {
      const dead = (client: string): Promise<Answer> =>
        ask(guarded, '/relay/sign-in/x', { ...user, 'x-forwarded-for': client })
      const statuses: number[] = []
      for (let each = 0; each < 11; each++) statuses.push((await dead('192.0.2.50')).status)
      assert.deepEqual(statuses, [...Array<number>(10).fill(404), 429])
      const waiting = await dead('192.0.2.50')
      assert.match(String(waiting.headers['retry-after']), /^(?:[1-5]?\d|60)$/)
      assert.equal((await dead('192.0.2.51')).status, 404)
    })

    it('gives a client 10 seconds for a header', async () => {
      const connection = connect(direct, '127.0.0.1')
      connection.write(`GET /relay/ HTTP/1.1\r\nHost: ${host}\r\n`)
      assert.match(await text(connection), /^HTTP\/1\.1 408 /)
    })
  })
})
