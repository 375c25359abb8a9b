import type { Attributed, Attribution } from '../../src/decision/attribution'
import { standingOf, type SenderStanding } from '../../src/decision/classify'
import { clean } from '../../src/base/safe-text'
import type { Known } from '../../src/directory/snapshot'
import { notedClass, type MailClass } from '../../src/mail/classes'
import { LONGEST_ID } from '../../src/mail/identities'
import { envelopeDomain, type EnvelopeDomain, type HarakaAddress } from '../../src/names/envelope'
import type { MessageNote } from '../../src/outbound/note'

/** Who sends, safe for the results store and the log; `undefined`: unknown, or there is none. */
export interface SenderFacts {
  readonly tenant: string | undefined
  readonly connector: string | undefined
  readonly domain: string | undefined
}

/**
 * What was found for the last transaction of a session. Most messages of a session have the same sender: then the next
 * transaction gets the same objects, and nothing is parsed or looked up again.
 */
export class LastSender {
  private host: unknown
  private originalHost: unknown
  private domain: EnvelopeDomain | undefined

  private standing: SenderStanding | undefined
  private standingFrom: EnvelopeDomain | undefined
  private standingIn: Known

  private note: MessageNote | undefined
  private noteFor: Attributed | undefined
  private noteClass: MailClass | undefined

  private facts: SenderFacts | undefined
  private factsFrom: Attribution | undefined

  /** See {@link envelopeDomain}. */
  domainOf(address: HarakaAddress): EnvelopeDomain {
    const { host, original_host: originalHost } = address
    // Haraka 3.2 has proxies here: they equal nothing, and are parsed each time.
    if (
      this.domain !== undefined &&
      host === this.host &&
      originalHost === this.originalHost &&
      !address.isNull()
    ) {
      return this.domain
    }
    const domain = envelopeDomain(address)
    // The null sender has no host, and neither has `<postmaster>`.
    this.domain = domain.kind === 'domain' ? domain : undefined
    this.host = host
    this.originalHost = originalHost
    return domain
  }

  /** See {@link standingOf}. A snapshot is replaced whenever its accepted domains change. */
  standingFor(domain: EnvelopeDomain, snapshot: Known): SenderStanding {
    if (
      this.standing === undefined ||
      domain !== this.standingFrom ||
      snapshot !== this.standingIn
    ) {
      this.standing = standingOf(domain, snapshot)
      this.standingFrom = domain
      this.standingIn = snapshot
    }
    return this.standing
  }

  /** The note of a message. Messages share it, so it is frozen. */
  noteOf(attribution: Attributed, mailClass: MailClass): MessageNote {
    if (this.note === undefined || attribution !== this.noteFor || mailClass !== this.noteClass) {
      const { tenant, connector } = attribution
      const noted = notedClass(mailClass)
      this.note = Object.freeze({ tenant, connector: connector ?? null, class: noted })
      this.noteFor = attribution
      this.noteClass = mailClass
    }
    return this.note
  }

  /** @param domain of the sender. */
  factsOf(attribution: Attribution, domain: string | undefined): SenderFacts {
    if (
      this.facts === undefined ||
      attribution !== this.factsFrom ||
      domain !== this.facts.domain
    ) {
      this.facts = factsOf(attribution, domain)
      this.factsFrom = attribution
    }
    return this.facts
  }
}

function factsOf(attribution: Attribution, domain: string | undefined): SenderFacts {
  if (attribution.kind !== 'attributed') return { tenant: undefined, connector: undefined, domain }
  // A note of another plugin may name any tenant, and the content of Redis any connector.
  const tenant = clean(attribution.tenant.slice(0, LONGEST_ID))
  const connector = attribution.connector && clean(attribution.connector)
  return { tenant, connector, domain }
}
