import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { newConsole, type ConsoleAtHand } from '../support/console'
import { fillHostile, HOSTILE_TEXTS } from '../support/console-data'
import { ROUTES } from '../support/console-routes'
import { useRedis } from '../support/registry'

useRedis()

/** A tag or attribute of a hostile text, or a character that reorders or hides what is read. */
const ALIVE = [
  /<\/?x-evil/i,
  /<live-x/i,
  /<script>document/i,
  /<(?:[^>"]|"[^"]*")* x-evil=/i,
  /<img src=x/i,
]
const UNREADABLE = /[^\P{Cc}\n\r\t]|\p{Bidi_Control}/u

describe('hostile texts', () => {
  let console: ConsoleAtHand
  before(async () => {
    console = newConsole()
    await fillHostile(console)
  })

  for (const { method, route, path } of ROUTES) {
    if (method !== 'GET') continue
    it(`are text in ${route}`, async () => {
      for (const query of queriesOf(path)) {
        const response = await console.as('admin').get(path + query)
        const page = await response.text()
        assert.ok(response.status < 500, `${response.status} for ${path}${query}: ${page}`)
        if (!/html/.test(response.headers.get('content-type') ?? '')) continue
        for (const alive of ALIVE) {
          const found = alive.exec(page)
          assert.equal(
            found,
            null,
            `${path}${query}: ${page.slice((found?.index ?? 0) - 80, (found?.index ?? 0) + 80)}`,
          )
        }
        assert.doesNotMatch(page, UNREADABLE)
      }
      assert.deepEqual(console.faults, [])
    })
  }

  it('do not act in any answer to a form', async () => {
    let sent = 0
    for (const { method, path } of ROUTES) {
      if (method !== 'POST') continue
      for (const text of Object.values(HOSTILE_TEXTS)) {
        const fields = Object.fromEntries(FIELD_NAMES.map((name) => [name, text]))
        const response = await console.as('admin').post(path, fields)
        const page = await response.text()
        sent++
        assert.ok(
          response.status < 500,
          `${response.status} for ${path} with ${JSON.stringify(text.slice(0, 80))}`,
        )
        if (/html/.test(response.headers.get('content-type') ?? '')) {
          for (const alive of ALIVE) assert.doesNotMatch(page, alive, path)
        }
        const to = response.headers.get('location') ?? '/'
        assert.match(to, /^\/(?![/\\])/)
      }
    }
    assert.deepEqual(console.faults, [])
    console.faults.length = 0
    globalThis.console.log(`${sent} hostile forms`)
  })
})

/** Fields of the forms: each gets the hostile text. */
const FIELD_NAMES = [
  ...['reason', 'note', 'text', 'domain', 'domains', 'name', 'limits', 'for', 'return_to', 'seen'],
  ...[
    'ip',
    'cert',
    'cert_sha256',
    'auth',
    'steps',
    'step',
    'mode',
    'contact',
    'id',
    'where',
    'order',
  ],
]

/** Queries that a page could take a text from. */
function queriesOf(path: string): string[] {
  const names = [
    'q',
    'domain',
    'connector',
    'where',
    'days',
    'from',
    'to',
    'by',
    'class',
    'ip',
    'auth',
    'cert',
    'kind',
    'tenant',
    'all',
    'sort',
    'file',
  ]
  const texts =
    path.includes('search') || path.includes('explain')
      ? Object.values(HOSTILE_TEXTS)
      : ['"><x-evil>']
  return [
    '',
    ...texts.map(
      (text) =>
        `?${new URLSearchParams(names.map((name): [string, string] => [name, text])).toString()}`,
    ),
  ]
}
