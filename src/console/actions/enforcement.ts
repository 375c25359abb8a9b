import { tenantctl } from '../../base/command-line'
import { count } from '../../base/count'
import { shortTime } from '../../base/time'
import { COMMAND_TIMEOUT } from '../../cli/kit/store'
import { atLimitText } from '../../cli/views/at-limit'
import { withoutPause } from '../../enforcement/in-effect'
import { stillRefused } from '../../enforcement/words'
import { tenantsAtLimit, type AtLimit } from '../../operations/at-limit'
import { acceptedSpan, pause, resume, type PauseOrder } from '../../operations/enforcement'
import type { Action } from '../kit/action'
import { inForce } from '../kit/in-force'
import type { Visit } from '../kit/page'
import { reasonIn } from './texts'

export const PAUSE: Action<Omit<PauseOrder, 'by'>> = {
  path: '/enforcement/pause',
  operation: pause,
  read(form) {
    const span = form.text('for')
    acceptedSpan(span)
    return { span, reason: reasonIn(form), everything: form.isOn('everything') }
  },
  command: ({ span, reason, everything }) =>
    tenantctl(
      ...['enforcement', 'pause', '--reason', reason, '--for', span],
      ...(everything ? ['--everything'] : []),
    ),
  async run(store, by, order) {
    const { change, confirmation } = await pause(store, { ...order, by })
    const until = `paused enforcement until ${shortTime(change.until)}`
    return inForce(`${until}: ${stillRefused(order)}`, confirmation, 'pause')
  },
}

interface Resume {
  readonly reason: string
  readonly fresh: boolean
}

export const RESUME: Action<Resume> = {
  path: '/enforcement/resume',
  operation: resume,
  read: (form) => ({ reason: reasonIn(form), fresh: form.isOn('fresh') }),
  command: ({ reason, fresh }) =>
    tenantctl(
      ...['enforcement', 'resume', '--reason', reason],
      fresh ? '--fresh-windows' : '--keep-usage',
    ),
  async question({ fresh }, visit) {
    const found = await atLimit(visit)
    const windows = fresh ? 'start afresh' : 'stay as they are'
    return {
      title: 'Resume enforcement on all hosts?',
      lines: [
        atLimitText(found),
        ...(found.tenants.length > 0 ? [`the windows of these tenants ${windows}`] : []),
        'restrictions and limits refuse again',
      ],
      yes: 'Resume enforcement',
    }
  },
  async run(store, by, { reason, fresh }, visit) {
    const afresh = fresh ? (await atLimit(visit)).tenants : []
    const resumed = await resume(store, { by, reason, afresh })
    const started = count(resumed.fresh.length, 'tenant')
    return inForce(
      resumed.ended ? 'resumed enforcement' : 'enforcement was not paused',
      resumed.confirmation,
      'resume',
      resumed.fresh.length > 0 ? [`started the windows of ${started} afresh`] : [],
    )
  },
}

function atLimit({ store, config }: Visit): Promise<AtLimit> {
  return tenantsAtLimit(store, withoutPause(config), COMMAND_TIMEOUT)
}
