import { ALERT_CHANNELS } from '../alerts/channel-settings'
import { ALERTS } from '../alerts/settings'
import { ALLOWANCE, METER_LIMITS } from '../allowance/settings'
import { ROOT } from '../base/owned-file'
import { CASE } from '../cases/settings'
import { SettingsReader, type Source } from '../config/settings-reader'
import type { RawIni } from '../config/stray-lines'
import { CONSOLE } from '../console/access/settings'
import { ATTRIBUTION, FOREIGN, REPLY, RESTRICTION } from '../decision/settings'
import { OUTAGE } from '../directory/settings'
import { MAIN, type MainSettings } from '../mail/settings'
import { METRICS } from '../metrics/settings'
import { FORWARDED, HEADER_FROM } from '../message/settings'
import { EGRESS, SRS, TAG } from '../outbound/settings'
import { REGISTRY } from '../registry/settings'
import { REPORT } from '../reporting/settings'
import { REDIS } from '../store/settings'
import { TENANTS } from '../tenants-file/settings'
import { UNUSUAL } from '../unusual/settings'

/** The sections of the ini file. `config/unregistered-domain.ini` says what each key means. */
export const SECTIONS = {
  main: MAIN,
  ...METER_LIMITS,
  allowance: ALLOWANCE,
  forwarded: FORWARDED,
  foreign: FOREIGN,
  headerFrom: HEADER_FROM,
  egress: EGRESS,
  srs: SRS,
  tag: TAG,
  restriction: RESTRICTION,
  attribution: ATTRIBUTION,
  redis: REDIS,
  outage: OUTAGE,
  registry: REGISTRY,
  tenants: TENANTS,
  reply: REPLY,
  report: REPORT,
  alerts: ALERTS,
  alertChannels: ALERT_CHANNELS,
  unusual: UNUSUAL,
  metrics: METRICS,
  console: CONSOLE,
  case: CASE,
}

/** A section, by its name in the code. */
export type SectionName = keyof typeof SECTIONS
type Reader = SettingsReader<typeof SECTIONS>
type AllSettings = Reader['config']

/** The ini file, parsed and checked; what processes have in effect also depends on a pause of enforcement. */
export interface Config extends Omit<AllSettings, 'main'> {
  readonly main: MainSettings
  /** uid of the owner of the ini file, which decides what files it may name. */
  readonly owner: number
}

/** A configuration, and what is wrong in its file. */
export interface ParsedConfig extends Pick<Reader, 'settings' | 'errors' | 'restart'> {
  readonly config: Config
  /** Whether `[redis]` has no error: else this process could ask the wrong Redis. */
  readonly redisUsable: boolean
}

/**
 * Parses the ini file as haraka-config read it.
 *
 * @param directory Haraka's config directory: relative names of files are found from there, or from the queue beside it.
 * @param owner uid of the owner of the file.
 * @param lines its lines, for messages.
 * @param running `undefined` when the process starts.
 */
export function parseConfig(
  raw: RawIni,
  directory: string,
  { owner = ROOT, lines, running }: Partial<Source> = {},
): ParsedConfig {
  const reader = new SettingsReader(SECTIONS, { raw, directory, owner, lines, running })
  const { settings, restart } = reader
  const errors = reader.errors.map((error) =>
    error.sections.includes(REDIS.name) && !running
      ? { ...error, instead: 'Redis is not asked' }
      : error,
  )
  const redisUsable = errors.every(({ sections }) => !sections.includes(REDIS.name))
  return { config: { owner, ...reader.config }, settings, errors, restart, redisUsable }
}
