import type { TestHaraka } from '../../scripts/services/haraka'
import type { TestPostfix } from '../../scripts/services/postfix'
import { readReport, type DeliveryReport } from './ndr'
import type { TestTenant } from './relay'

/** Lines of main.cf with which a Postfix sends all mail through Haraka, attributed by its address. */
export function throughRelay(tenant: TestTenant, host: TestHaraka = tenant.relay.haraka): string {
  return `relayhost = [127.0.0.1]:${host.port}
smtp_bind_address = ${tenant.session.localAddress}
`
}

/** Waits for the non-delivery report about this recipient in a mailbox. */
export async function reportFor(
  postfix: TestPostfix,
  mailbox: string,
  recipient: string,
): Promise<DeliveryReport> {
  const final = `Final-Recipient: rfc822; ${recipient}\n`
  return readReport(await postfix.waitForMail(mailbox, (text) => text.includes(final)))
}
