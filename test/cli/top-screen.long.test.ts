import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { after, before, describe, it, type TestContext } from 'node:test'
import { Page } from '../../scripts/demo/page'
import { closeStage, openStage } from '../../scripts/demo/stage'
import { playStory } from '../../scripts/demo/story'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { startRedis, type TestRedis } from '../support/redis'
import { record } from '../support/reports'
import { Terminal } from '../support/terminal'
import { Cli } from './cli'

/** Lines are edited by the terminal again, what is typed is shown, and what was there before is there again. */
async function assertGivenBack(terminal: Terminal, status = 0): Promise<void> {
  await terminal.shows(new RegExp(`^status ${status}$`, 'm'))
  terminal.type('stty -a | grep -ow -- "-*icanon\\|-*echo" | xargs echo modes', 'Enter')
  await terminal.shows(/modes icanon echo$/m)
  // A shell that was slow to begin has its prompt before it.
  assert.match(terminal.screen, /^(\$ )?before$/m)
  assert.doesNotMatch(terminal.screen, /UNREG\/MIN/)
}

describe('the screen of tenantctl top', { concurrency: 2 }, () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] })
  })
  after(() => redis.stop())

  async function seeded(): Promise<Cli> {
    const cli = new Cli(redis.url)
    await cli.given('tenant add contoso', 'tenant add fabrikam', 'tenant add tailspin')
    const store = new Store(redis.client(), new Keys(cli.prefix))
    const at = Date.now()
    await record(store, 'contoso', { at, accepted: 500, refused: 40, domain: 'bank.example' })
    await record(store, 'fabrikam', { at, accepted: 20 })
    return cli
  }

  function open(t: TestContext, options?: ConstructorParameters<typeof Terminal>[0]): Terminal {
    const terminal = new Terminal(options)
    t.after(() => terminal.close())
    terminal.type('echo before', 'Enter')
    return terminal
  }

  it('shows a takeover while it happens, and where it comes from', async (t) => {
    const stage = await openStage()
    t.after(() => closeStage(stage))
    const admin = stage.redis.client()
    const terminal = open(t, { columns: 120, cwd: stage.haraka.dir })
    terminal.run('top')
    await terminal.shows(/^no tenant has sent unregistered mail in the last 5 minutes$/m)
    // The story asks for a session of the other tenant when Contoso has just been restricted.
    const look = async (): Promise<void> => {
      await terminal.shows(/^1 restricted, 1 active/m)
      const list = await terminal.shows(
        /^> contoso +restricted +[1-9]\d* +[1-9]\d* +1h 100 % .* exchange$/m,
      )
      t.diagnostic(`\n${list}`)
      terminal.type('Enter')
      await terminal.shows(/^SENDER DOMAIN +UNREGISTERED +SHARE\nbank-\d\.example/m)
      await terminal.shows(/^AUTH USER .*\ncontoso-mx /m)
      terminal.type('q')
    }
    const haraka = Object.create(stage.haraka) as typeof stage.haraka
    haraka.connect = async (options) => {
      const isRestricted = (await admin.scard('ud:{@restricted}')) === 1
      if (isRestricted && options?.auth?.user === 'fabrikam-mx') await look()
      return stage.haraka.connect(options)
    }
    await playStory({ haraka }, new Page(new Writable({ write: (_text, _, done) => done() })))
    await terminal.shows(/^0 restricted[^]*^> contoso +probation /m)
    terminal.type('q')
    await assertGivenBack(terminal)
  })

  it('marks, filters and sorts by keys', async (t) => {
    const cli = await seeded()
    const terminal = open(t)
    terminal.run('--redis', redis.url, '--prefix', cli.prefix, 'top')
    await terminal.shows(/^> contoso[^]*^ {2}fabrikam/m)
    terminal.type('Down')
    await terminal.shows(/^> fabrikam/m)
    terminal.type('f', 'c', 'o', 'n', 'Enter')
    assert.doesNotMatch(await terminal.shows(/filter: con \(Esc none\)[^]*^> contoso/m), /fabrikam/)
    terminal.type('Escape')
    await terminal.shows(/fabrikam/)
    terminal.type('s', 's', 's', 's')
    await terminal.shows(/s sort: tenant/)
    terminal.type('Down', 'Enter')
    await terminal.shows(/^tenant +fabrikam$[^]*^lure\.example/m)
    await cli.given('tenant remove fabrikam')
    await terminal.shows(/^there is no tenant fabrikam any more$/m)
    terminal.type('Escape')
    await terminal.shows(/^> contoso/m)
    terminal.type('C-c')
    await assertGivenBack(terminal)
  })

  it('follows the size of the terminal, and leaves out the last columns first', async (t) => {
    const { prefix } = await seeded()
    const terminal = open(t, { columns: 130 })
    terminal.run('--redis', redis.url, '--prefix', prefix, 'top')
    await terminal.shows(/TOP DOMAIN +CONNECTOR$/m)
    terminal.resize(80)
    await terminal.shows(/RESTRICTED IN$/m)
    terminal.resize(40, 6)
    await terminal.shows(/REFUSED\/MIN\n> contoso/)
    terminal.type('Down')
    await terminal.shows(/REFUSED\/MIN\n(?: {2}contoso.*\n)?> fabrikam/)
    terminal.type('q')
    await terminal.shows(/^status 0$/m)
  })

  it('gives the terminal back at SIGTERM, and before an error is printed', async (t) => {
    const { prefix } = await seeded()
    const terminal = open(t)
    const admin = redis.client()
    await admin.call('ACL', 'SETUSER', 'watcher', 'on', '>secret', '~*', '+@all')
    const url = redis.url.replace('//', '//watcher:secret@')
    terminal.run('--redis', url, '--prefix', prefix, 'top')
    await terminal.shows(/^> contoso/m)
    process.kill(terminal.child, 'SIGTERM')
    await assertGivenBack(terminal)
    terminal.type('clear; echo before', 'Enter')
    terminal.run('--redis', url, '--prefix', prefix, 'top')
    await terminal.shows(/^> contoso/m)
    await admin.call('ACL', 'SETUSER', 'watcher', '-zrange')
    await terminal.shows(/^status 1$/m)
    assert.match(terminal.screen.replaceAll('\n', ''), /user watcher may not do this .*docs\/acl/)
    await assertGivenBack(terminal, 1)
  })
})

describe('the screen of tenantctl top, while Redis is away', () => {
  it('says so with the age of what it shows, and goes on when Redis is back', async (t) => {
    const redis = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] })
    t.after(() => redis.stop())
    const cli = new Cli(redis.url)
    await cli.given('tenant add contoso')
    const store = new Store(redis.client(), new Keys(cli.prefix))
    await record(store, 'contoso', { at: Date.now(), accepted: 500, domain: 'bank.example' })
    const terminal = new Terminal({ columns: 100 })
    t.after(() => terminal.close())
    terminal.run('--redis', redis.url, '--prefix', cli.prefix, 'top')
    await terminal.shows(/^0 restricted, 1 active[^]*^> contoso/m)
    redis.pause()
    await terminal.shows(
      /^Redis does not answer: this is of \S+Z, \d+s ago\n0 restricted[^]*^> contoso/m,
    )
    redis.resume()
    await terminal.shows(/^0 restricted/)
    await redis.kill()
    await terminal.shows(/^no connection to Redis: this is of \S+Z, \d+s ago\n/)
    terminal.type('Enter')
    await terminal.shows(/^reading …$/m)
    await redis.restart()
    await terminal.shows(/^0 restricted[^]*^bank\.example/m)
    await redis.kill()
    await terminal.shows(/^no connection to Redis/)
    terminal.type('C-c')
    await terminal.shows(/^status 0$/m)
  })
})
