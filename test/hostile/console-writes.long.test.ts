import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { before, describe, it } from 'node:test'
import { newConsole, ORIGIN, type Browser, type ConsoleAtHand } from '../support/console'
import { fillHostile } from '../support/console-data'
import { ROUTES } from '../support/console-routes'
import { contentsOf } from '../support/contents'
import { useRedis } from '../support/registry'

useRedis()

/** Requests that change something, from elsewhere or without the secret of the session. */
const FORGED: Readonly<
  Record<string, (browser: Browser, other: Browser) => [fields: Fields, headers: Fields]>
> = {
  'without a token': () => [{ token: '' }, {}],
  'with a wrong token': () => [{ token: 'a'.repeat(43) }, {}],
  'with the token of another session': (_, other) => [{ token: other.session.token }, {}],
  'with half of the token': ({ session }) => [{ token: session.token.slice(0, 20) }, {}],
  'with Origin null': () => [{}, { origin: 'null' }],
  'from another site': () => [{}, { origin: 'https://x-evil.example' }],
  'from another port': () => [{}, { origin: 'http://127.0.0.1:8026' }],
  'from https where the console is http': () => [{}, { origin: ORIGIN.replace('http', 'https') }],
  'from a name that begins alike': () => [{}, { origin: `${ORIGIN}.x-evil.example` }],
  'cross-site': () => [{}, { 'sec-fetch-site': 'cross-site' }],
  'same-site, from another origin': () => [{}, { 'sec-fetch-site': 'same-site' }],
  'as JSON': () => [{}, { 'content-type': 'application/json' }],
  'as plain text': () => [{}, { 'content-type': 'text/plain' }],
  'as multipart': () => [{}, { 'content-type': 'multipart/form-data; boundary=x' }],
  'to another host': () => [{}, { host: 'x-evil.example' }],
}
type Fields = Readonly<Record<string, string>>

/** Values with which each form would do something. */
const FILLED: Fields = {
  ...{ reason: 'forged', note: 'forged', text: 'forged', confirmed: 'yes', steps: 'domains' },
  ...{ domain: 'lure.example', domains: 'lure.example', limits: '1/1h', for: '1h', id: 'tailspin' },
  ...{ mode: 'off', name: 'forged', ip: '192.0.2.99', auth: 'x@lure.example' },
}

const WRITES = ROUTES.filter(({ method }) => method === 'POST')

/** Each key with a digest of its content: a difference names the key, and not 10 kB of hostile text. */
async function digestOf({ store }: ConsoleAtHand): Promise<Record<string, string>> {
  const contents = [...(await contentsOf(store))]
  return Object.fromEntries(
    contents.map(([key, content]) => [
      key,
      createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 8),
    ]),
  )
}

describe('a form that the console did not send to this person', () => {
  let console: ConsoleAtHand
  before(async () => {
    console = newConsole()
    await fillHostile(console)
  })

  it('changes nothing, at any route', async () => {
    const before = await digestOf(console)
    let tried = 0
    for (const { path } of WRITES) {
      for (const [how, forge] of Object.entries(FORGED)) {
        const browser = console.as('admin')
        const [fields, headers] = forge(browser, console.as('admin', 'bob'))
        const response = await browser.post(path, { ...FILLED, ...fields }, headers)
        assert.ok([403, 421].includes(response.status), `${path} ${how}: ${response.status}`)
        tried++
      }
      const withoutOrigin = await console.app.request(ORIGIN + path, {
        method: 'POST',
        headers: { host: '127.0.0.1:8025', 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams(FILLED).toString(),
      })
      assert.equal(withoutOrigin.status, 401, `${path} without a session`)
      tried++
    }
    assert.deepEqual(await digestOf(console), before)
    assert.ok(tried >= WRITES.length * 16, `${tried}`)
  })

  it('changes nothing as GET, HEAD, PUT, PATCH or DELETE', async () => {
    const before = await digestOf(console)
    const { session } = console.as('admin')
    for (const { path } of ROUTES) {
      for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
        const query =
          method === 'GET'
            ? `?${new URLSearchParams({ ...FILLED, token: session.token }).toString()}`
            : ''
        const response = await console.as('admin').send(method, path + query)
        assert.ok(response.status < 500, `${method} ${path}: ${response.status}`)
      }
    }
    assert.deepEqual(await digestOf(console), before)
  })

  it('changes nothing for a person whose role is too low', async () => {
    const before = await digestOf(console)
    for (const { path } of WRITES) {
      const response = await console.as('viewer').post(path, FILLED)
      assert.equal(response.status, 403, path)
    }
    assert.deepEqual(await digestOf(console), before)
  })
})

describe('return_to', () => {
  it('leads nowhere but to a page of the console', async () => {
    const console = newConsole()
    await fillHostile(console)
    for (const to of [
      '//x-evil.example',
      '/\\x-evil.example',
      'https://x-evil.example',
      '/\t/x-evil',
      'javascript:x',
      '\\\\x',
      '/%0d%0aSet-Cookie:x',
      '/a\r\nb',
    ]) {
      const response = await console
        .as('operator')
        .post('/cases/contoso%3A1/note', { note: 'seen', return_to: to })
      const location = response.headers.get('location')
      if (location !== null) assert.match(location, /^\/(?![/\\])[^\\\r\n\t]*$/, to)
    }
  })
})
