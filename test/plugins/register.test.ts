import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import type { HarakaConfig } from 'haraka-config'
import constants from 'haraka-constants'
import type { Next, Plugin } from '../../plugins/kit/haraka'
import { hook_init_child, register, shutdown } from '../../plugins/unregistered-domain'
import { parseEnvelope } from '../../src/names/envelope'
import { CONFIG_FILE } from '../../src/process/config-file'
import { scratchDir } from '../support'

interface Registered {
  readonly plugin: Plugin
  /** In the order of their registration: hook, method, priority. */
  readonly hooks: [hook: string, method: string, priority: number | undefined][]
  /** What has been logged as a warning since. */
  readonly logged: unknown[]
}

/** Registers as Haraka does, in a site with this ini file. */
function registered(ini = ''): Registered {
  const hooks: Registered['hooks'] = []
  const directory = scratchDir('config')
  writeFileSync(path.join(directory, CONFIG_FILE), ini)
  const silent = (): void => {}
  const logged: unknown[] = []
  const plugin: Plugin = {
    name: 'unregistered-domain',
    config: { get: () => ({}), root_path: directory } as unknown as HarakaConfig,
    timeout: 30,
    register_hook: (hook, method, priority) => void hooks.push([hook, method, priority]),
    ...{ loginfo: silent, lognotice: silent, logerror: silent, logcrit: silent },
    haraka_require: silent,
    logwarn: (...data) => void logged.push(...data),
  }
  register.call(plugin)
  logged.length = 0
  return { plugin, hooks, logged }
}

/** Everything that needs hooks of its own. */
const ALL_FEATURES = `
[forwarded]
enabled=true
[header_from]
check=charge
[srs]
domain=srs.relay.example
secret=0123456789abcdef
[tag]
header=X-Relay-Class
[attribution]
grant_relay=true
`

describe('register()', () => {
  it('makes each log line safe', () => {
    const { plugin, logged } = registered()
    plugin.logwarn('token', { by: 'a\nb' })
    assert.deepEqual(logged, ['token', { by: 'a b' }])
  })

  it('turns off the timer of Haraka around the hooks', () => {
    assert.equal(registered().plugin.timeout, 0)
  })

  it('gives hooks priorities before plugins that could answer, or ask a backend, first', () => {
    const { hooks } = registered(ALL_FEATURES)
    const priorities = hooks.map(([hook, , priority]) => [hook, priority])
    assert.deepEqual(Object.fromEntries(priorities), {
      connect: -100,
      helo: -50,
      ehlo: -50,
      mail: 0,
      rcpt: -50,
      rcpt_ok: -50,
      data_post: -100,
      deny: -100,
      reset_transaction: -100,
      disconnect: -100,
      queue: -100,
      queue_outbound: -100,
      pre_send_trans_email: -100,
      send_email: -100,
      get_mx: 100,
    })
  })

  it('registers only what the shipped settings need', () => {
    const hooks = registered().hooks.map(([hook]) => hook)
    assert.deepEqual(hooks.sort(), [
      ...['connect', 'deny', 'disconnect', 'get_mx', 'mail', 'rcpt', 'rcpt_ok'],
      ...['reset_transaction', 'send_email'],
    ])
  })

  it('gives each hook an existing method that Haraka does not register by its name', () => {
    const { plugin, hooks } = registered(ALL_FEATURES)
    const found = plugin as unknown as Record<string, unknown>
    for (const [, method] of hooks) {
      assert.equal(typeof found[method], 'function', method)
      // Haraka registers every hook_… by itself (plugins.js), and it would run twice.
      assert.doesNotMatch(method, /^hook_/)
    }
  })
})

describe('a process that starts', () => {
  it('decides no session before it knows which registry the earlier process knew', () => {
    const { plugin } = registered()
    hook_init_child.call(plugin, () => {})
    const results = { add() {}, get() {}, redis_publish() {} }
    const connection = {
      ...{ uuid: 'A1', relaying: true, remote: { ip: '192.0.2.1' } },
      ...{ notes: { auth_user: 'a@contoso.example' }, tls: {}, client: {} },
      transaction: {
        ...{ mail_from: parseEnvelope('a@contoso.example'), rcpt_to: [], notes: {}, results },
      },
    }
    const answers: unknown[] = []
    const mail = plugin as unknown as { on_mail: (next: Next, connection: unknown) => void }
    mail.on_mail((code) => answers.push(code), connection)
    shutdown.call(plugin)
    assert.deepEqual(answers, [constants.denysoft])
  })
})
