import { createHash, createHmac } from 'node:crypto'
import type { IniKey } from '../config/section'
import { sectionsOf, type Settings } from '../config/settings-reader'
import type { NodeConfig } from '../nodes/node'
import { SECTIONS } from './config'

/** A secret with fewer characters could be found by trying all, so nothing is said of it. */
const LEAST_SECRET = 16

/** A configuration, and by what two of them are compared. */
export interface DigestedConfig {
  readonly digest: string
  readonly text: string
}

/**
 * What a process has in effect of its ini file, where that is not the default: so that a key that only a later version knows
 * makes no difference until it is used. Passwords are left out. Of a secret there are 32 bits, by which two are compared.
 *
 * @param reach `site`: what all hosts should have alike; `host`: the rest.
 * @param salt of the secrets, the same for all processes.
 */
export function nodeConfig(
  settings: Settings,
  reach: IniKey['reach'],
  salt: string,
): DigestedConfig {
  const config: Record<string, Record<string, string>> = {}
  for (const { name, keys } of sectionsOf(Object.values(SECTIONS), settings)) {
    for (const key of keys) {
      const text = key.reach === reach ? textOf(key, settings, salt) : undefined
      // A secret is the same, whether in the ini file or in one of its own.
      const { name: of } = keys.find(({ property }) => property === key.property)!
      if (text !== undefined) (config[name] ??= {})[of] = text
    }
  }
  const text = JSON.stringify(config satisfies NodeConfig)
  return { digest: createHash('sha256').update(text).digest('hex').slice(0, 16), text }
}

/** The value of a key; `undefined`: it is the default, or must not be shown. */
function textOf(key: IniKey, settings: Settings, salt: string): string | undefined {
  const { given, value } = settings.get(key.id) ?? {}
  if (given === undefined || listOf(given) === listOf(key.fallback)) return undefined
  if (key.secret !== undefined) return secretText(key, value, salt)
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  // Of a file, the content counts.
  return value instanceof Set ? contentText(value) : listOf(given)
}

function listOf(value: unknown): string {
  return [value]
    .flat()
    .join(',')
    .trim()
    .replace(/\s*,\s*/g, ', ')
}

function contentText(names: ReadonlySet<unknown>): string {
  const hash = createHash('sha256')
    .update([...names].sort().join('\n'))
    .digest('hex')
  return `${names.size} names, ${hash.slice(0, 8)}`
}

function secretText({ reach }: IniKey, value: unknown, salt: string): string | undefined {
  const secret = [value].flat().join(' ')
  if (reach === 'host' || secret.length < LEAST_SECRET) return undefined
  return `#${createHmac('sha256', salt).update(secret).digest('hex').slice(0, 8)}`
}
