import { tenantctl } from '../../base/command-line'
import { checkInRedis } from '../../cli/doctor/in-redis'
import type { Line } from '../../cli/doctor/line'
import { byKind, pauseFirst, WORST_FIRST } from '../../cli/doctor/print'
import { checkOwnSettings } from '../../cli/doctor/settings'
import { checkSrsUse } from '../../cli/doctor/srs'
import { withoutPause } from '../../enforcement/in-effect'
import { html, NOTHING, type Html } from '../kit/html'
import type { Page } from '../kit/page'
import { heading, outside, sameCommand, state, table, time, type Tone } from '../kit/parts'
import { shared } from '../kit/shared'

/** How long findings are shown, in ms. */
const SPAN = 30_000
/** Tenants and connectors together that are read for it at most. */
const MOST_READ = 2000
/** Named of findings of one kind. */
const EXAMPLES = 5

const TONES: Readonly<Record<Line['level'], Tone>> = { ok: 'good', warn: 'warn', fail: 'bad' }

const findings = shared(async ({ store, config: inEffect }) => {
  const { client, keys } = store
  const counts = await Promise.all([client.scard(keys.tenants), client.hlen(keys.connectors)])
  const isLarge = counts[0] + counts[1] > MOST_READ
  const effective = withoutPause(inEffect)
  // The snapshot file is on the hosts of Haraka.
  const config = { ...effective, outage: { ...effective.outage, snapshot: '' } }
  const { lines } = await checkInRedis(store, config.redis, { config, isLarge })
  const all = pauseFirst([...checkOwnSettings(config), ...checkSrsUse(config), ...lines])
  return { at: Date.now(), isLarge, kinds: byKind(all) }
}, SPAN)

export const DOCTOR: Page = {
  path: '/doctor',
  least: 'viewer',
  async show(visit) {
    const { at, isLarge, kinds } = await findings(visit)
    const worstFirst = WORST_FIRST.flatMap((level) =>
      kinds.filter(([line]) => line?.level === level),
    )
    return {
      title: 'Doctor',
      live: html`${heading(visit, 'doctor', 1)}
        <p>Checked at ${time(at)}.</p>
        ${table('Findings, the worst first', ['State', 'Check', 'Finding', 'Advice'], worstFirst.map(rowOf), '')}
        ${
          isLarge
            ? html`<p class="hint">
                Not checked here, since all tenants and connectors would be read: contacts,
                allowances for forwards, domains of mailbox providers, identities and blocks of
                connectors.
              </p>`
            : NOTHING
        }
        <p class="hint">
          Not checked here: Haraka's own configuration, the files of its hosts, where alerts go, the
          MX of [srs] domain, and whether the indexes of the registry are consistent. The command on
          a host of Haraka checks all of it.
        </p>`,
      rest: sameCommand(tenantctl('doctor')),
    }
  },
}

function rowOf(lines: readonly Line[]): (string | Html)[] {
  const [{ level, check, message, advice, problem }] = lines as [Line]
  const named = lines.slice(0, EXAMPLES).map((line) => line.subject ?? line.message)
  const more = lines.length - named.length
  const rest = more > 0 ? ` and ${more.toLocaleString('en-US')} more` : ''
  const several = html`${lines.length.toLocaleString('en-US')} ${problem ?? ''}:
  ${outside(named.join(', '))}${rest}`
  return [
    state(level, TONES[level]),
    check,
    lines.length === 1 ? outside(message) : several,
    advice === null ? NOTHING : outside(advice),
  ]
}
