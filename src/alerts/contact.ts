import { tenantctl } from '../base/command-line'
import { parseMailbox } from '../names/mailbox'
import type { Store } from '../store/store'
import { acceptsDomain } from '../registry/domain-entries'
import type { Advice } from './settings'

export const NO_MAIL: Advice = {
  message: 'no mail goes to contacts of tenants, since [alerts] mail_to is empty',
  advice: 'set mail_to in [alerts] of unregistered-domain.ini',
}

/** Warns of a contact address inside the tenant, whose mail an intruder could read and delete. */
export async function ownContactWarning(
  store: Store,
  tenant: string,
  contact: string,
): Promise<Advice | undefined> {
  if (!(await acceptsDomain(store, tenant, parseMailbox(contact).domain))) return undefined
  return {
    message: `${contact}, the contact of ${tenant}, is in an accepted domain of ${tenant}: an intruder in its mail can read the warnings, and delete them`,
    advice: `give an address elsewhere: ${tenantctl('tenant', 'set', tenant, '--contact', 'ADDRESS')}`,
  }
}
