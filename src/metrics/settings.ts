import path from 'node:path'
import { listenParser } from '../base/listen'
import { host, section, site, type SettingsOf } from '../config/section'
import { boolean, integer, text } from '../config/values'

/** @throws {InputError} it is not ADDRESS:PORT. */
export const parseListen = listenParser(9825)

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
