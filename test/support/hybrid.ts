import type { TestHaraka } from '../../scripts/services/haraka'
import type { TestPostfix } from '../../scripts/services/postfix'
import { readReport, type DeliveryReport } from './ndr'
import type { TestTenant } from './relay'

/** Lines of main.cf by which a Postfix sends all through Haraka, recognised as the tenant by its address. */
export function throughRelay(tenant: TestTenant, host: TestHaraka = tenant.relay.haraka): string {
  return `relayhost = [127.0.0.1]:${host.port}
smtp_bind_address = ${tenant.session.localAddress}
`
}

/** Waits for the report in a mailbox that says that mail to this recipient was not delivered. */
export async function reportFor(
  postfix: TestPostfix,
  mailbox: string,
  recipient: string,
): Promise<DeliveryReport> {
  const final = `Final-Recipient: rfc822; ${recipient}\n`
  return readReport(await postfix.waitForMail(mailbox, (text) => text.includes(final)))
}
