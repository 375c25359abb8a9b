import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import type { Role } from '../../src/records/role'
import { newConsole, ORIGIN, type ConsoleAtHand } from '../support/console'
import { useRedis } from '../support/registry'

useRedis()

const HOST = { host: '127.0.0.1:8025' }
const FORM = { ...HOST, origin: ORIGIN, 'content-type': 'application/x-www-form-urlencoded' }

let console: ConsoleAtHand
beforeEach(() => {
  console = newConsole()
})

/** The path of a new link. */
function link(role: Role = 'operator'): string {
  const person = { provider: 'console', subject: 'ann', name: '<b>ann', role } as const
  return `${ORIGIN}/sign-in/${console.console.entry.links.make(person)}`
}

function press(to: string, headers: Record<string, string> = FORM): Promise<Response> {
  return Promise.resolve(console.app.request(to, { method: 'POST', headers, body: '' }))
}

describe('a link to the console', () => {
  it('is not used by looking at it, as a scanner of mail does', async () => {
    const to = link()
    for (const method of ['GET', 'HEAD', 'GET']) {
      const answer = await console.app.request(to, { method, headers: HOST })
      assert.equal(answer.status, 200)
      assert.equal(answer.headers.get('set-cookie'), null)
    }
    const page = await (await console.app.request(to, { headers: HOST })).text()
    assert.match(page, /Sign in as &lt;b&gt;ann on mx1, operator/)
    assert.equal((await press(to)).status, 303)
  })

  for (const [what, headers] of [
    ['without Origin', { ...HOST, 'content-type': FORM['content-type'] }],
    ['with Origin: null', { ...FORM, origin: 'null' }],
    ['from another site', { ...FORM, origin: 'https://lure.example' }],
    ['from another port', { ...FORM, origin: 'http://127.0.0.1:8026' }],
    ['with https', { ...FORM, origin: 'https://127.0.0.1:8025' }],
    ['with Sec-Fetch-Site: cross-site', { ...FORM, 'sec-fetch-site': 'cross-site' }],
    ['with Sec-Fetch-Site: same-site', { ...FORM, 'sec-fetch-site': 'same-site' }],
    ['with Sec-Fetch-Site: none', { ...FORM, 'sec-fetch-site': 'none' }],
    ['as JSON', { ...FORM, 'content-type': 'application/json' }],
    ['as plain text', { ...FORM, 'content-type': 'text/plain' }],
  ] as const) {
    it(`signs nobody in ${what}`, async () => {
      const to = link()
      const answer = await press(to, headers)
      assert.equal(answer.status, 403)
      assert.match(await answer.text(), /You are not signed in: /)
      assert.deepEqual(console.console.entry.sessions.list(), [])
      assert.equal((await press(to)).status, 303)
    })
  }

  it('gives a new session, and ends the one that the browser had', async () => {
    const cookieOf = (answer: Response): string =>
      (answer.headers.get('set-cookie') ?? '').split(';')[0]!
    const planted = { ...FORM, cookie: 'ud-test=planted' }
    const first = cookieOf(await press(link(), planted))
    assert.ok(!first.includes('planted'))
    const second = cookieOf(await press(link('viewer'), { ...FORM, cookie: first }))
    const statusOf = async (cookie: string): Promise<number> =>
      (await console.app.request(`${ORIGIN}/`, { headers: { ...HOST, cookie } })).status
    assert.deepEqual([await statusOf(first), await statusOf(second)], [401, 200])
  })

  it('that does not work is told so, without a session and ten times a minute', async () => {
    const guess = `${ORIGIN}/sign-in/guess`
    for (let each = 0; each < 10; each++) {
      const answer = await console.app.request(guess, { headers: HOST })
      assert.equal(answer.status, 404)
      assert.match(await answer.text(), /tenantctl console link/)
    }
    const waiting = await console.app.request(link(), { headers: HOST })
    assert.equal(waiting.status, 429)
    assert.equal(waiting.headers.get('retry-after'), '60')
    assert.match(await waiting.text(), /Too many links that do not work: wait 60 s/)
    // A person who is signed in goes on.
    assert.equal((await console.as('viewer').get('/')).status, 200)
  })
})

describe('a form of the console', () => {
  it('is one of 120 in a minute; another session goes on', async () => {
    const [ann, bob] = [console.as('viewer', 'ann'), console.as('viewer', 'bob')]
    for (let each = 0; each < 120; each++) {
      assert.equal((await ann.post('/nowhere')).status, 404)
    }
    const answer = await ann.post('/nowhere')
    assert.equal(answer.status, 429)
    assert.match(answer.headers.get('retry-after') ?? '', /^\d+$/)
    assert.match(await answer.text(), /Nothing was changed: 120 forms in a minute: wait \d+ s/)
    assert.equal((await bob.post('/nowhere')).status, 404)
    assert.equal((await ann.get('/')).status, 200)
  })

  it('signs out with the token of its session alone', async () => {
    const [ann, bob] = [console.as('viewer', 'ann'), console.as('viewer', 'bob')]
    for (const token of ['', 'x', bob.session.token]) {
      assert.equal((await ann.post('/sign-out', { token })).status, 403)
    }
    assert.equal((await ann.get('/')).status, 200)
    assert.equal((await ann.post('/sign-out')).status, 200)
    assert.equal((await ann.get('/')).status, 401)
  })
})

describe('over https', () => {
  const secure = {
    origins: ['https://relay.example'],
    cookie: { name: '__Host-ud-443', secure: true },
  }

  it('the cookie is for this host alone, and browsers stay with https', async () => {
    console = newConsole({}, secure)
    const to = link().replace(ORIGIN, 'https://relay.example')
    const answer = await press(to, {
      ...FORM,
      host: 'relay.example',
      origin: 'https://relay.example',
    })
    assert.match(
      answer.headers.get('set-cookie') ?? '',
      /^__Host-ud-443=\S+; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
    )
    assert.equal(answer.headers.get('strict-transport-security'), 'max-age=15552000')
  })
})
