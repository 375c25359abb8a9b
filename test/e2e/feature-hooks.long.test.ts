// Which hooks Haraka runs for this plugin, and in which order: with the shipped settings, and with each feature alone.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { startHaraka } from '../../scripts/services/haraka'
import type { Ini } from '../../scripts/services/ini'

/** Logs the hooks of the plugin once Haraka has sorted all of them; it is loaded last. */
const lister = {
  name: 'hook_lister',
  source: `
    exports.hook_init_master = function (next) {
      const { registered_hooks } = require('./plugins')
      const ours = Object.entries(registered_hooks).flatMap(([hook, entries]) =>
        entries
          .filter(({ plugin }) => plugin === 'unregistered-domain')
          .map(({ method }) => hook + '.' + method))
      this.lognotice('hooks: ' + ours.join(' ') + '.')
      next()
    }`,
}

/** `hook.method` each, without those at the start of a process; of one hook in the order in which they run. */
async function hooksOf(settings: Ini): Promise<string[]> {
  const haraka = await startHaraka({
    settings,
    plugins: ['unregistered-domain', lister.name],
    localPlugins: { [lister.name]: lister.source },
    // Nothing is asked of Redis.
    ready: false,
  })
  try {
    await haraka.waitForLog(/hooks: [^\n]*\./)
    const [, listed = ''] = /hooks: ([^\n]*)\./.exec(haraka.log) ?? []
    return listed.split(' ').filter((hook) => !hook.startsWith('init_'))
  } finally {
    await haraka.stop()
  }
}

const ALWAYS = [
  ...['connect.on_connect', 'mail.on_mail', 'rcpt.on_rcpt', 'rcpt_ok.on_rcpt_ok', 'deny.on_deny'],
  ...['reset_transaction.on_end', 'disconnect.on_end'],
  ...['send_email.on_send_email', 'get_mx.on_get_mx'],
]
const QUEUE = ['queue.on_queue', 'queue_outbound.on_queue']
const SRS_QUEUE = ['queue.on_srs_queue', 'queue_outbound.on_srs_queue_outbound']
const TAG = ['queue.on_tag', 'queue_outbound.on_tag']
const DATA = 'data_post.on_data_post'

const forwarded = { enabled: true }
const srs = { domain: 'srs.relay.example', secret: '0123456789abcdef' }
const tag = { header: 'X-Relay-Class' }

const features: readonly [what: string, settings: Ini, more: readonly string[]][] = [
  ['the shipped settings', {}, []],
  ['[forwarded] enabled=true', { forwarded }, [DATA, ...QUEUE]],
  ['[header_from] check=charge', { header_from: { check: 'charge' } }, [DATA]],
  ['[srs] domain', { srs }, ['rcpt.on_srs_rcpt', ...SRS_QUEUE, 'pre_send_trans_email.on_send']],
  ['[tag] header', { tag }, [DATA, ...TAG]],
  [
    '[attribution] grant_relay=true',
    { attribution: { grant_relay: true } },
    ['helo.on_greet', 'ehlo.on_greet'],
  ],
]

describe('the hooks of this plugin in Haraka', () => {
  for (const [what, settings, more] of features) {
    it(`are those that ${what} needs, and no other`, async () => {
      assert.deepEqual((await hooksOf(settings)).sort(), [...ALWAYS, ...more].sort())
    })
  }

  it('remove a forged tag first, and charge what is held before a bounce leaves', async () => {
    const found = await hooksOf({ forwarded, srs, tag })
    const queues = found.filter((hook) => hook.startsWith('queue'))
    assert.deepEqual(queues, [
      ...[TAG[0], QUEUE[0], SRS_QUEUE[0]],
      ...[TAG[1], QUEUE[1], SRS_QUEUE[1]],
    ])
  })
})
