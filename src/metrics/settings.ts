import { isIPv6 } from 'node:net'
import path from 'node:path'
import { InputError } from '../base/errors'
import { contains, readPrefix } from '../base/ip-prefix'
import { host, section, site, type SettingsOf } from '../config/section'
import { boolean, integer, text } from '../config/values'

/** Where an exporter listens. */
export interface Listen {
  readonly address: string
  /** 0: a free one. */
  readonly port: number
}

export const METRICS = section('metrics', {
  listen: host((value) => parseListen(text(value)), '127.0.0.1:9825'),
  /** An absolute path. Only `tenantctl metrics` reads it: Haraka's user need not. `undefined`: no token is asked for. */
  tokenFile: host(
    (value, { directory }) =>
      text(value) === '' ? undefined : path.resolve(directory, text(value)),
    '',
  ),
  /** How many tenants have series of their usage. */
  tenants: site(integer(0, 10_000), '50'),
  /** Whether series name tenants. */
  tenantLabels: site(boolean, 'true'),
})
export type MetricsSettings = SettingsOf<typeof METRICS>

/** @throws {InputError} it is not ADDRESS:PORT. */
export function parseListen(given: string): Listen {
  const [, six, four, port = ''] = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(given) ?? []
  const address = six ?? four ?? ''
  const prefix = readPrefix(address)
  const isAddress =
    prefix !== undefined && !address.includes('/') && (six === undefined || isIPv6(six))
  if (!isAddress || Number(port) > 65_535) {
    throw new InputError(
      `"${given}" is not ADDRESS:PORT: write an IP address and a port, such as 127.0.0.1:9825 or [::1]:9825`,
    )
  }
  return { address, port: Number(port) }
}

/** As {@link parseListen} reads it. */
export function listenText({ address, port }: Listen): string {
  return `${isIPv6(address) ? `[${address}]` : address}:${port}`
}

const LOOPBACK = ['127.0.0.0/8', '::1'].map((each) => readPrefix(each)!)

/** Whether only this machine can reach it. */
export function isLoopback({ address }: Listen): boolean {
  const prefix = readPrefix(address)
  return prefix !== undefined && LOOPBACK.some((each) => contains(each, prefix))
}
