import { ALERTS } from '../alerts/settings'
import { ALLOWANCE, NULL } from '../allowance/settings'
import { ROOT } from '../base/owned-file'
import { CASE } from '../cases/settings'
import { InEffect, type ConfigError, type Running, type Settings } from '../config/in-effect'
import type { IniLines } from '../config/ini-lines'
import type { SettingsOf } from '../config/section'
import type { RawIni } from '../config/stray-lines'
import { ATTRIBUTION, FOREIGN, REPLY, RESTRICTION } from '../decision/settings'
import { OUTAGE } from '../directory/settings'
import { MAIN } from '../mail/settings'
import { FORWARDED, HEADER_FROM } from '../message/settings'
import { EGRESS, SRS, TAG } from '../outbound/settings'
import { REPORT } from '../reporting/settings'
import { REDIS } from '../store/settings'
import { TENANTS } from '../tenants-file/settings'
import { UNUSUAL } from '../unusual/settings'

/** The sections of the ini file. `config/unregistered-domain.ini` says what each key means. */
export const SECTIONS = {
  main: MAIN,
  allowance: ALLOWANCE,
  null: NULL,
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
  tenants: TENANTS,
  reply: REPLY,
  report: REPORT,
  alerts: ALERTS,
  unusual: UNUSUAL,
  case: CASE,
}

type AllSettings = {
  readonly [P in keyof typeof SECTIONS]: SettingsOf<(typeof SECTIONS)[P]>
}

/** The ini file, parsed and checked. */
export interface Config extends AllSettings {
  /** uid of the owner of the ini file, which decides what files it may name. */
  readonly owner: number
}

/** A configuration, and what is wrong in its file. */
export interface ParsedConfig {
  /** What is in effect. */
  readonly config: Config
  /** In the order of the file. */
  readonly errors: readonly ConfigError[]
  /** Whether `[redis]` has no error: else this process could ask the wrong Redis. */
  readonly redisUsable: boolean
  /** Keys, or whole sections as `[section]`, that the file changes and that need a restart. */
  readonly restart: readonly string[]
  /** What is in effect, key by key. */
  readonly settings: Settings
}

/** Where the values of an ini file come from. */
export interface Source {
  /** uid of the owner of the file. */
  readonly owner?: number
  /** Its lines, for messages. */
  readonly lines?: IniLines
  /** `undefined` when the process starts. */
  readonly running?: Running | undefined
}

/**
 * Parses the ini file as haraka-config read it.
 *
 * @param directory Haraka's config directory: relative names of files are found from there, or from the queue beside it.
 */
export function parseConfig(
  raw: RawIni,
  directory: string,
  { owner = ROOT, lines, running }: Source = {},
): ParsedConfig {
  const inEffect = new InEffect(SECTIONS, { raw, place: { directory, owner }, lines, running })
  const { settings, restart } = inEffect
  const config = { owner, ...(inEffect.config() as unknown as AllSettings) }
  const errors = inEffect
    .errors()
    .map((error) =>
      error.section === 'redis' && !running ? { ...error, instead: 'Redis is not asked' } : error,
    )
  const redisUsable = errors.every(({ section }) => section !== 'redis')
  return { config, errors, redisUsable, restart, settings }
}
