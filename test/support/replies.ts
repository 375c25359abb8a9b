import type { TestHaraka } from '../../scripts/services/haraka'
import type { SessionOptions } from '../../scripts/services/smtp'
import { waitFor } from '../../scripts/services/wait-for'

/**
 * All replies of the plugin, byte for byte. Spelled out here instead of imported: mail servers and people match on
 * these bytes.
 */
export const REPLY = {
  blocked:
    '550 5.7.750 Service unavailable. Client blocked from sending from unregistered domains\r\n',
  blockedAll: '550 5.7.705 Access denied, tenant has exceeded threshold\r\n',
  deferred: '451 4.7.1 Too many recipients from unregistered domains. Try again later\r\n',
  nullSenderFull: '451 4.7.1 Too many recipients from the null sender. Try again later\r\n',
  oneRecipient: '452 4.5.3 Too many recipients\r\n',
  foreign: '550 5.7.60 SMTP; Client does not have permissions to send as this sender\r\n',
  connectorBlocked: '550 5.7.711 Access denied, bad inbound connector\r\n',
  undecidable: '451 4.3.0 Service temporarily unavailable. Try again later\r\n',
  noTenant: '550 5.7.64 TenantAttribution; Relay Access Denied SMTP\r\n',
  srsOnlyBounces: '550 5.7.1 This address accepts bounces only\r\n',
  srsUnknown: '550 5.1.1 No such SRS address\r\n',
  srsExpired: '550 5.4.7 This rewritten sender has expired\r\n',
  srsAlone: '451 4.5.3 Send bounces to SRS addresses in a separate transaction\r\n',
} as const

/** Waits until such sessions get a reply to MAIL that begins so, from all processes. */
export async function answered(
  haraka: TestHaraka,
  processes: number,
  { session, from, reply }: { session: SessionOptions; from: string; reply: string },
): Promise<void> {
  let row = 0
  const enough = async (): Promise<boolean> => {
    const client = await haraka.connect(session)
    const { raw } = await client.mail(from)
    await client.quit()
    row = raw.startsWith(reply) ? row + 1 : 0
    // Sessions reach the processes in turn.
    return row === 3 * processes
  }
  await waitFor(enough, { what: `${reply.trim()} to MAIL FROM:<${from}>` })
}
