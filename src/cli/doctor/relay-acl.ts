import { isIP } from 'node:net'
import { pluginNames } from '../../config/haraka-checks'
import { iniBoolean, type HarakaFiles } from '../../config/haraka-files'
import type { Connector } from '../../mail/tenant'
import { formatPrefix, isCovered, readPrefix } from '../../base/ip-prefix'
import { ok, warn, type Line } from './line'

/** Ranges that may relay without belonging to a tenant. */
export function checkRelayAcl(
  connectors: readonly Connector[],
  files: HarakaFiles,
  unknown: 'ignore' | 'deny',
): Line[] {
  const relay = pluginNames(files).some((plugin) => plugin === 'relay' || plugin === 'relay_acl')
  if (!relay || !iniBoolean(files.ini('relay.ini')['relay'], 'acl', true)) return []
  const covering = connectors.flatMap(({ ip }) => ip.flatMap((each) => readPrefix(each) ?? []))
  const lines = aclRanges(files)
    .filter(({ range }) => {
      const prefix = readPrefix(range)
      return prefix === undefined || !isCovered(prefix, covering)
    })
    .map(({ text, range }) =>
      warn(
        'relay_acl_allow',
        `${text === range ? text : `${text} (which relay reads as ${range})`} may relay, but no connector covers it: ${unknown === 'deny' ? 'without AUTH or a certificate its mail is refused' : 'its mail is not metered'}`,
        'add a connector (tenantctl connector add TENANT NAME --ip CIDR), or remove the line from relay_acl_allow',
        { subject: text, problem: 'ranges may relay, but no connector covers them' },
      ),
    )
  return lines.length > 0
    ? lines
    : [ok('relay_acl_allow', 'connectors cover all that may relay by address')]
}

/**
 * `relay_acl_allow` as haraka-plugin-relay reads it (`index.js`, `load_acls` and `is_acl_allowed`): a comment may follow
 * a range, an address without a length gets /32 (also where it is IPv6), and a length of 0 is the longest.
 */
function aclRanges(files: HarakaFiles): { text: string; range: string }[] {
  return files.list('relay_acl_allow').flatMap((line) => {
    const text = line.replace(/#.*/, '').trim()
    const [address = '', length = '32'] = text.split('/')
    const family = isIP(address)
    if (family === 0) return []
    const longest = family === 4 ? 32 : 128
    const bits = Math.min(parseInt(length, 10) || longest, longest)
    const range = `${address}/${bits}`
    const prefix = readPrefix(range)
    return [{ text, range: prefix ? formatPrefix(prefix) : range }]
  })
}
