import { parseConfig, type Config } from '../../src/process/config'
import type { RawIni } from '../../src/config/stray-lines'
import type { Attributed, Attribution } from '../../src/decision/attribution'
import type { Scope } from '../../src/mail/scope'
import type { Snapshot } from '../../src/directory/snapshot'
import type { Mode } from '../../src/mail/mode'
import { parseFlags, type DomainFlags } from '../../src/registry/formats'

/** The shipped configuration with these keys changed. */
export function configWith(raw: RawIni = {}): Config {
  const { config, errors } = parseConfig(raw, __dirname)
  if (errors.length > 0) throw new Error(errors.map(({ message }) => message).join('; '))
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

/** Accepted domains, each with its flags: `s` (subdomains), `h` (shared), both, or `-`. */
export function acceptedDomains(flags: Readonly<Record<string, string>>): Map<string, DomainFlags> {
  return new Map(Object.entries(flags).map(([domain, packed]) => [domain, parseFlags(packed)]))
}

/** The cached tenant contoso: contoso.com with subdomains, contoso.net without, agency.example shared. */
export function snapshotWith({
  mode,
  restricted,
  by = 'automatic',
  forwards = false,
}: {
  mode?: Mode | undefined
  restricted?: Scope | undefined
  by?: string
  forwards?: boolean
} = {}): Snapshot {
  return {
    tenant: 'contoso',
    created: '1',
    settings: {},
    domainsToken: 'd1',
    stateToken: 's1',
    mode,
    restricted,
    restrictedBy: restricted ? by : '',
    case: restricted ? 'contoso:1' : '',
    forwards,
    domains: acceptedDomains({ 'contoso.com': 's', 'contoso.net': '-', 'agency.example': 'sh' }),
  }
}
