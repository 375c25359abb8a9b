import { setServers } from 'node:dns'
import type { Command } from 'commander'
import { Ledger } from '../../allowance/ledger'
import { explainMessage, readOnce, type Explanation } from '../../explain/explain'
import { questionOf, type Asked } from '../../explain/question'
import { dnsServer } from '../../dns/server'
import { contextOf } from '../kit/context'
import type { Io } from '../kit/io'
import { manual } from '../kit/manual'
import { inEffect } from '../kit/paused'
import { readMessage } from '../kit/message-input'
import type { Output, Tone } from '../kit/output'
import { VERDICT_TONES, verdictText } from '../views/explain'
import { COMMAND_TIMEOUT } from '../kit/store'

interface Options extends Asked {
  readonly message?: string
  readonly dns?: string
}

/** `tenantctl explain` */
export function add(program: Command, io: Io): void {
  const command = program
    .command('explain')
    .description(
      'step by step, what would happen to a message that a session relays, and why; changes nothing',
    )
    .requiredOption('--from <address>', "envelope sender (required); '' is the null sender")
    .option('--to <address>', 'envelope recipient (default: one outside of the tenant)')
    .option('--ip <address>', 'source address of the session')
    .option('--auth <user>', 'SMTP AUTH user of the session')
    .option('--cert <name>', 'DNS name of its verified client certificate')
    .option(
      '--message <file>',
      'the message itself, as it is sent at DATA; `-` reads it from stdin',
    )
    .option(
      '--dns <address>',
      'resolver to ask for the keys of signatures (default: that of this host)',
    )
    .action(async (options: Options, self: Command) => {
      const context = contextOf(io, self)
      const { out } = context
      if (options.dns !== undefined) setServers([dnsServer(options.dns)])
      const message =
        options.message === undefined ? undefined : await readMessage(options.message, io)
      const question = { ...questionOf(options), message }
      await context.connected(async (store, ofFile) => {
        const config = await inEffect(store, ofFile, out)
        const explanation = await explainMessage(question, {
          directory: readOnce(store),
          ledger: new Ledger(store, COMMAND_TIMEOUT),
          config,
        })
        out.result(viewOf(explanation), () => print(out, explanation))
      })
    })
  manual(command, {
    examples: [
      'explain --from ann@contoso.com --ip 192.0.2.10',
      'explain --from ann@lure.example --auth web@contoso.com --to bob@fabrikam.com',
      'explain --from news@lists.example --ip 192.0.2.10 --message forward.eml',
      "explain --from '' --ip 192.0.2.10 --json",
    ],
    json: [
      'tenant, connector (tenant/name): the tenant and connector of the session, or null',
      'class: registered | unregistered | foreign | forwarded (with --message, where it is proven) |',
      '  null (the string, for the null sender); null without a tenant',
      'domain: of the sender; matched: the accepted domain that covers it;',
      '  owner: the other tenant that owns it; or null',
      'verdict: pass | charge (passes, and is counted) | refuse | tempfail | ignore',
      'reply: the SMTP reply where it is refused, else null',
    ],
    exit: { 0: 'explained, with any verdict' },
  })
}

function viewOf(explanation: Explanation): Omit<Explanation, 'steps'> {
  const { tenant, connector, class: senderClass, domain, matched, owner } = explanation
  const { verdict, reply } = explanation
  return { tenant, connector, class: senderClass, domain, matched, owner, verdict, reply }
}

function print(out: Output, explanation: Explanation): void {
  const { steps, class: senderClass, verdict } = explanation
  out.facts([
    ...steps.map(({ about, finding }) => [about, finding] as const),
    ...(senderClass === null ? [] : [['class', senderClass] as const]),
    ['verdict', { text: verdictText(explanation), ...toneOf(verdict) }],
  ])
}

function toneOf(verdict: Explanation['verdict']): { tone?: Tone } {
  const tone = VERDICT_TONES[verdict]
  return tone ? { tone } : {}
}
