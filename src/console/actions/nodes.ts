import { tenantctl } from '../../base/command-line'
import { processes } from '../../cli/kit/node-words'
import { forgetHost } from '../../nodes/forget'
import type { Action } from '../kit/action'

export const FORGET_HOST: Action<string> = {
  path: '/nodes/:host/forget',
  operation: forgetHost,
  read: (_form, { host = '' }) => host,
  command: (host) => tenantctl('nodes', 'forget', host),
  async run(store, _by, host) {
    const forgotten = await forgetHost(store, host)
    return { tone: 'good', lines: [`forgot ${host}: ${processes(forgotten)}`] }
  },
}
