import { formatMessage } from '../scripts/services/smtp'
import { Ledger } from '../src/allowance/ledger'
import { TestDns } from '../test/support/dns'
import { keyZones, signer, signMessage } from '../test/support/signed'
import { DEFAULTS, PATIENCE, ROOMY } from './charge'
import { OPEN } from './mail'
import { RECIPIENT, type Mail } from './mail-load'
import { compare, messagesOfStart, type Comparison } from './paired'
import type { Section } from './row'
import { registerTenant } from './seed'
import type { LeanOptions, Servers } from './servers'
import { step } from './smtp-session'

const SIGNER = { domain: 'bank.example', selector: 's1', type: 'rsa', bits: 2048 } as const
const SENDER = `news@${SIGNER.domain}`
const LINE = `${'x'.repeat(70)}\r\n`

/** Accepts a message only if its signature was verified, so that nothing else is measured. */
const ACCEPT_VERIFIED = `
exports.hook_queue = exports.hook_queue_outbound = (next, { transaction }) =>
  transaction.results.get('dkim')?.pass?.length > 0 ? next(OK) : next(DENY, 'not verified')
`

const EFFORT = {
  full: { starts: 5, rounds: 8, messages: 400, warmUp: 2_000 },
  quick: { starts: 1, rounds: 4, messages: 200, warmUp: 400 },
}
/** The share of large messages in a batch. */
const LARGE = 1 / 4

const ABOUT = {
  name: 'forwarded',
  title: 'CPU of Haraka a forwarded message',
  meaning:
    'Measured as the CPU of a message. An outside sender wrote to a mailbox of the tenant, and signed each message ' +
    '(DKIM, RSA with 2048 bits, relaxed/relaxed); the server of the tenant sends it on to one recipient. The plugin ' +
    'holds it at RCPT, proves it at the end of DATA and counts it as forwarded; the section fails if it does not. ' +
    'Beside it Haraka alone, which reads no signature, and Haraka with haraka-plugin-dkim, which refuses here what it ' +
    'cannot verify. The key is looked up for each message, at a DNS server of the bench. The wait is that for the ' +
    'answer to the message.',
}

/** The cost of a proven forward, compared with a Haraka that verifies the same signature. */
export const forwarded: Section = {
  ...ABOUT,
  async run(how) {
    const dns = await TestDns.start(keyZones([signer(SIGNER)]))
    try {
      how.say('signing')
      return await compare(comparisonWith(dns.address, how.quick), how)
    } finally {
      await dns.stop()
    }
  },
}

function comparisonWith(nameServer: string, quick: boolean): Comparison {
  const effort = quick ? EFFORT.quick : EFFORT.full
  const small = signedMail(messagesOfStart(effort), 12)
  const large = signedMail(messagesOfStart(effort, LARGE), 1_420)
  const settings = { forwarded: { enabled: true } }
  const subject = (what: string, server: string, signed: () => Mail) => {
    return { what, server, ip: OPEN.ip, mail: signed(), alone: signed() }
  }
  return {
    ...{ ...ABOUT, ...EFFORT },
    subjects: {
      small: { ...subject('forwarded', 'ours', small), mostCalls: 2 },
      smallDkim: subject('haraka-plugin-dkim', 'dkim', small),
      large: { ...subject('forwarded, 100 KB', 'ours', large), share: LARGE },
      largeDkim: { ...subject('haraka-plugin-dkim, 100 KB', 'dkim', large), share: LARGE },
    },
    against: [
      ['small', 'smallDkim'],
      ['large', 'largeDkim'],
    ],
    fill: (store) => registerTenant(store, OPEN, { forwardedLimits: ROOMY }),
    servers: (redis) => ({
      alone: asking(nameServer, { plugins: [] }),
      dkim: asking(nameServer, { plugins: ['dkim'], queue: ACCEPT_VERIFIED }),
      ours: asking(nameServer, { redis, settings, plugins: ['unregistered-domain'] }),
    }),
    check,
  }
}

/** A Haraka that uses this name server. */
function asking(nameServer: string, { plugins, ...options }: LeanOptions): LeanOptions {
  const text = `exports.register = () => require('node:dns').setServers(['${nameServer}'])\n`
  return {
    ...options,
    plugins: ['bench_name_server', ...plugins],
    localPlugins: { bench_name_server: text },
  }
}

/** @throws Error where a message was not counted as forwarded */
async function check({ store }: Servers<string>): Promise<void> {
  const usage = await new Ledger(store, PATIENCE).usage(OPEN.id, DEFAULTS)
  const [forwarded, unregistered] = [usage?.forwarded?.[0]?.used, usage?.unregistered[0]?.used]
  if (forwarded !== undefined && forwarded > 0 && unregistered === 0) return
  throw new Error(
    `${forwarded} recipients were counted as forwarded, ${unregistered} as unregistered`,
  )
}

/**
 * Messages signed by an outside sender and forwarded by the tenant, each with a new signature, since one proves at
 * most five recipients. They are signed before the measurement.
 *
 * @param count of different messages; then they repeat.
 * @param lines of the body, of 72 octets each.
 * @returns the same messages from the first on, each time it is called
 */
function signedMail(count: number, lines: number): () => Mail {
  const body = LINE.repeat(lines)
  const rest = Buffer.from(`${body}\r\n.\r\n`)
  let bodyHash: string | undefined
  const signed = Array.from({ length: count }, (_, number) => {
    const headers = {
      Date: 'Sun, 29 Nov 2026 01:00:00 +0000',
      'Message-ID': `<${number}@${SIGNER.domain}>`,
    }
    const to = `pupil@${OPEN.domain}`
    const message = formatMessage({ from: SENDER, to, subject: `News ${number}`, body, headers })
    const tags = bodyHash === undefined ? {} : { bh: bodyHash }
    const text = signMessage(message, { ...SIGNER, tags })
    bodyHash ??= /; bh=([^;]+);/.exec(text)?.[1]
    return Buffer.from(text.slice(0, text.indexOf('\r\n\r\n') + 4))
  })
  const before = [
    step(`MAIL FROM:<${SENDER}>`, '250'),
    step(`RCPT TO:<${RECIPIENT}>`, '250'),
    step('DATA', '354'),
  ]
  return () => {
    let number = 0
    return () => {
      const command = Buffer.concat([signed[number++ % count]!, rest])
      return [...before, { command, answer: '250', decides: true }]
    }
  }
}
