import { domainToUnicode } from 'node:url'

/** Scripts whose letters look like those of others, or are read the other way. */
const SCRIPTS = ['Latin', 'Cyrillic', 'Greek', 'Armenian', 'Cherokee', 'Georgian', 'Hebrew'].concat(
  ['Arabic', 'Devanagari', 'Thai', 'Han', 'Hiragana', 'Katakana', 'Hangul', 'Bopomofo'],
)
const MATCHERS = SCRIPTS.map((name) => [name, new RegExp(`\\p{Script=${name}}`, 'u')] as const)

/** Written together in one word (Unicode TR 39 §5.2, highly restrictive). */
const TOGETHER: ReadonlySet<string> = new Set([
  'Latin',
  'Han',
  'Hiragana',
  'Katakana',
  'Hangul',
  'Bopomofo',
])

/**
 * The scripts of a label whose letters no language writes in one word; none: each label has one script. A sign of a forged
 * name: `pаypal` with a Cyrillic а.
 *
 * @param domain as in the DNS.
 */
export function mixedScripts(domain: string): readonly string[] {
  for (const label of domainToUnicode(domain).split('.')) {
    const found = MATCHERS.filter(([, matcher]) => matcher.test(label)).map(([name]) => name)
    if (found.length > 1 && !found.every((name) => TOGETHER.has(name))) return found
  }
  return []
}
