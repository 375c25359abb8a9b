import { within } from '../../src/base/deadline'
import type { Attribution } from '../../src/decision/attribution'
import type { Directory } from '../../src/directory/directory'
import type { Known } from '../../src/directory/snapshot'
import { LONGEST_ID } from '../../src/mail/identities'
import type { Config } from '../../src/process/config'
import type { Engine } from '../../src/process/engine'
import type { Connection } from '../kit/haraka'
import type { LogOnce } from '../kit/log'
import type { Session } from './session'
import type { FindOwner, Transaction } from './transaction'

/** How long a session waits for a tenant that its process has not loaded, in ms. A large one takes many commands. */
const LOAD_DEADLINE = 5000
/** How long a recipient waits for the owner of the sender domain, in ms. */
const OWNER_DEADLINE = 1000

const UNDECIDABLE: Attribution = { kind: 'undecidable' }

/**
 * Finds out who sends: the tenant of a session, the class of a sender, the owner of its domain. What the process knows is
 * found without waiting. What waits has a method of its own: see {@link Hooks}.
 */
export class SenderResolver {
  constructor(
    private readonly config: () => Config,
    private readonly engine: () => Engine | undefined,
    private readonly log: LogOnce,
  ) {}

  /** The tenant and connector of a session. */
  attribution(connection: Connection, session: Session): Attribution | Promise<Attribution> {
    const engine = this.engine()
    if (!engine) return UNDECIDABLE
    return session.attribution(connection, engine.directory, this.config().attribution)
  }

  /** Whether {@link resolveSender} would find what it has found for the last transaction. */
  isUnchanged(connection: Connection, session: Session): boolean {
    const engine = this.engine()
    const { attribution: settings } = this.config()
    return engine !== undefined && session.isUnchanged(connection, engine.directory, settings)
  }

  /** Sets the sender of a transaction. A promise only where Redis must be asked. */
  resolveSender(
    connection: Connection,
    session: Session,
    transaction: Transaction,
  ): Promise<void> | undefined {
    const { main, attribution: settings } = this.config()
    if (!settings.grantRelay && (main.override === 'off' || !connection.relaying)) return undefined
    const attribution = this.attribution(connection, session)
    return attribution instanceof Promise
      ? this.setSenderAfter(attribution, connection, session, transaction)
      : this.setSender(attribution, connection, session, transaction)
  }

  private setSenderAfter(
    attribution: Promise<Attribution>,
    ...session: [Connection, Session, Transaction]
  ): Promise<void> {
    return attribution.then((found) => this.setSender(found, ...session))
  }

  private setSender(
    attribution: Attribution,
    connection: Connection,
    session: Session,
    transaction: Transaction,
  ): Promise<void> | undefined {
    const { main, attribution: settings } = this.config()
    // Even with `override=off`: without the grant Haraka itself would refuse the session.
    if (settings.grantRelay) session.grantRelay(connection, attribution)
    if (main.override === 'off') return undefined
    const snapshot = this.snapshotOf(attribution, session)
    if (snapshot instanceof Promise) return setSenderOnce(transaction, attribution, snapshot)
    transaction.setSender(attribution, snapshot)
    return undefined
  }

  private snapshotOf(attribution: Attribution, session: Session): Known | Promise<Known> {
    const directory = this.engine()?.directory
    if (attribution.kind !== 'attributed' || !directory) return undefined
    const { tenant } = attribution
    return session.tenant(directory, tenant) ?? this.loadSnapshot(directory, tenant)
  }

  private loadSnapshot(directory: Directory, tenant: string): Promise<Known> {
    return within(LOAD_DEADLINE, directory.load(tenant)).then(
      (snapshot) => {
        if (!snapshot) {
          const name = tenant.slice(0, LONGEST_ID)
          this.log.say(name, `no such tenant: ${name}`)
        }
        return snapshot ?? null
      },
      () => undefined,
    )
  }

  /** See {@link Transaction.resolveOwner}. */
  resolveOwner(transaction: Transaction): Promise<void> | undefined {
    return this.engine() && transaction.resolveOwner(this.findOwner)
  }

  private readonly findOwner: FindOwner = (domain, tenant) => {
    const { directory } = this.engine()!
    const owner = directory.ownerOf(domain, tenant)
    return owner === undefined ? askOwner(directory, domain, tenant) : owner
  }
}

function setSenderOnce(
  transaction: Transaction,
  attribution: Attribution,
  snapshot: Promise<Known>,
): Promise<void> {
  return snapshot.then((found) => transaction.setSender(attribution, found))
}

async function askOwner(
  directory: Directory,
  domain: string,
  tenant: string,
): Promise<string | null> {
  // The charge is sent in this very turn and goes first: on a slow connection it must not wait for this.
  await Promise.resolve()
  return within(OWNER_DEADLINE, directory.askOwner(domain, tenant))
}
