import { tenantctl } from '../../base/command-line'
import { OTHER, type UnattributedSource } from '../../reporting/rows'

/** A certificate by its name, or the begin of its fingerprint. */
export function shortCertificate({ certificate }: UnattributedSource): string {
  return isFingerprint(certificate) ? `sha256 ${certificate.slice(0, 16)}…` : certificate
}

/** How a connector would recognise a source: its option and value; `undefined`: it stands for several. */
export function identityOf({
  ip,
  user,
  certificate,
}: UnattributedSource): readonly ['auth' | 'cert-sha256' | 'cert' | 'ip', string] | undefined {
  if (ip === OTHER) return undefined
  // What only this source can show comes first.
  if (user !== '') return ['auth', user]
  if (isFingerprint(certificate)) return ['cert-sha256', certificate]
  return certificate !== '' ? ['cert', certificate] : ['ip', ip]
}

/** The command that adds a connector for a source; `undefined`: there is none. @param tenant as typed. */
export function addCommand(source: UnattributedSource, tenant = 'TENANT'): string | undefined {
  const identity = identityOf(source)
  if (!identity) return undefined
  const [option, value] = identity
  return tenantctl('connector', 'add', tenant, 'NAME', `--${option}`, value)
}

function isFingerprint(certificate: string): boolean {
  return /^[\da-f]{64}$/i.test(certificate)
}
