import { parseConfig, type Config, type RawIni } from '../../src/config'
import type { Attributed, Attribution } from '../../src/relay/attribution'
import type { Scope } from '../../src/restriction/restriction'
import type { Snapshot } from '../../src/tenants/snapshot'
import type { Mode } from '../../src/mode'

/** The shipped configuration with these keys changed. */
export function configWith(raw: RawIni = {}): Config {
  const { config, errors } = parseConfig(raw, __dirname)
  if (errors.length > 0) throw new Error(errors.join('; '))
  return config
}

export const ATTRIBUTED: Attributed = {
  kind: 'attributed',
  tenant: 'contoso',
  connector: 'contoso/mx',
  enabled: true,
  blocked: false,
  method: 'ip',
}
export const DISABLED: Attributed = { ...ATTRIBUTED, enabled: false }
export const BLOCKED: Attributed = { ...ATTRIBUTED, blocked: true }
export const NONE: Attribution = { kind: 'none' }
export const UNDECIDABLE: Attribution = { kind: 'undecidable' }

/** What a process knows of contoso: contoso.com with subdomains, contoso.net without. */
export function snapshotWith({
  mode,
  restricted,
  forwards = false,
}: {
  mode?: Mode | undefined
  restricted?: Scope | undefined
  forwards?: boolean
} = {}): Snapshot {
  return {
    tenant: 'contoso',
    domainsToken: 'd1',
    stateToken: 's1',
    mode,
    restricted,
    restrictedBy: restricted ? 'automatic' : '',
    case: restricted ? 'contoso:1' : '',
    forwards,
    domains: new Map([
      ['contoso.com', true],
      ['contoso.net', false],
    ]),
  }
}
