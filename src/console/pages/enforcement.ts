import { tenantctl } from '../../base/command-line'
import { withoutPause } from '../../enforcement/in-effect'
import { pauseInEffect, readPause } from '../../enforcement/pause'
import { stillRefused } from '../../enforcement/words'
import { USUAL_PAUSE } from '../../operations/enforcement'
import { form, type Field } from '../kit/forms'
import { html, NOTHING } from '../kit/html'
import type { Page } from '../kit/page'
import { facts, heading, state, time, type Cell } from '../kit/parts'

const REASON: Field = {
  ...({ kind: 'text', name: 'reason', label: 'Reason', required: true } as const),
  hint: 'kept and shown',
}

export const ENFORCEMENT: Page = {
  path: '/enforcement',
  least: 'viewer',
  async show(visit) {
    const { store, config } = visit
    const read = await readPause(store)
    const pause = pauseInEffect(read)
    const resumed = read.change?.state === 'resumed' ? read.change : undefined
    const { override } = withoutPause(config).main
    const lines: (readonly [string, Cell])[] = pause
      ? [
          ['State', html`${state('paused', 'warn')} until ${time(pause.until)}`],
          ['What is refused', stillRefused(pause)],
          ['Since', time(pause.first / 1000)],
          ['By', pause.by],
          ['Reason', pause.reason],
        ]
      : [['State', state('not paused', 'good')]]
    return {
      title: 'Enforcement',
      live: html`${heading(visit, 'enforcement', 1)}
      ${facts([
        ...lines,
        ...(resumed
          ? [
              [
                'Last resumed',
                html`${time(resumed.at)} by ${resumed.by}: ${resumed.reason}`,
              ] as const,
            ]
          : []),
        ...(override
          ? [['[main] override', `${override}: it counts, paused or not`] as const]
          : []),
      ])}`,
      rest: html`${
          pause
            ? html`<h2>Resume</h2>
                ${form(visit, {
                  to: ['enforcement', 'resume'],
                  button: 'Resume enforcement',
                  fields: [
                    REASON,
                    {
                      ...{ kind: 'check', name: 'fresh', on: true },
                      label:
                        'Start the windows of tenants afresh that would be restricted by their next recipient',
                    },
                  ],
                  command: `${tenantctl('enforcement', 'resume', '--fresh-windows', '--reason')} …`,
                  least: 'admin',
                })}`
            : NOTHING
        }
        <h2>${pause ? 'Go on with the pause' : 'Pause'}</h2>
        <p>
          On all hosts nothing is refused for some time, not even with 451. Mail passes, and is
          counted. The pause ends by itself.
        </p>
        ${form(visit, {
          to: ['enforcement', 'pause'],
          button: 'Pause enforcement',
          fields: [
            REASON,
            {
              ...{ kind: 'text', name: 'for', label: 'For', value: USUAL_PAUSE, required: true },
              hint: 'at most 7d',
            },
            {
              ...{ kind: 'check', name: 'everything' },
              label: 'Let also pass what a person has restricted or blocked, and deliver held mail',
            },
          ],
          command: `${tenantctl('enforcement', 'pause', '--for', USUAL_PAUSE, '--reason')} …`,
          ...{ isDanger: true, least: 'admin' },
        })}`,
    }
  },
}
