import type { Forecast } from '../../allowance/forecast'
import { shortTime } from '../../base/time'
import { formatWindow } from '../../mail/limits'
import { METERS, RESTRICTING } from '../../mail/meters'
import type { Mode } from '../../mail/mode'
import { forecastOf, type MeterWindow, type TenantStatus } from '../../operations/status'
import { duration } from '../kit/output'

/** `restricted in 38m`, `the next recipient restricts it`; in monitor what would be. */
export function restrictedIn({ mode, usage }: TenantStatus, { at }: Forecast): string {
  const would = mode === 'monitor'
  if (at <= usage.at) return `the next recipient ${would ? 'would restrict' : 'restricts'} it`
  return `${would ? 'would be restricted' : 'restricted'} in ${duration(at - usage.at)}`
}

/** For each meter that will be full at this pace: `restricted in 38m: 300 in 1h by 2026-11-24T09:00:00Z`. */
export function forecastLines(status: TenantStatus): string[] {
  return RESTRICTING.flatMap((meter) => {
    const forecast = forecastOf(status, meter)
    if (!forecast) return []
    const { limit, window, at } = forecast
    const { counts } = METERS[meter].words
    const when = at > status.usage.at ? ` by ${shortTime(at)}` : ''
    const reached = `${limit}${counts ? ` ${counts}` : ''} in ${formatWindow(window)}${when}`
    return [`${restrictedIn(status, forecast)}: ${reached}`]
  })
}

/** What a restriction refuses in the mode of the tenant; `undefined`: it is not restricted. */
export function refusedWords({ mode, restriction }: TenantStatus): string | undefined {
  if (!restriction) return undefined
  const refused = restriction.scope === 'all' ? 'all relayed mail' : 'unregistered mail'
  return `${refused} ${mode === 'enforce' ? 'is refused' : 'would be refused in mode enforce'}`
}

/** `already 412 of 300 in 1h (unregistered mail): the next recipient restricts it` */
export function fullInWords({ meter, usage }: MeterWindow, mode: Mode): string {
  const { window, limit, defer, used } = usage
  const { past, words } = METERS[meter]
  const [does, would] =
    past === 'restriction' && !defer
      ? ['restricts it', 'would restrict it']
      : ['is deferred', 'would be deferred']
  const then = mode === 'monitor' ? would : does
  return `already ${used} of ${limit} in ${formatWindow(window)} (${words.name}): the next recipient ${then}`
}
