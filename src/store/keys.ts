import { InputError } from '../errors'

/**
 * The names of our keys. All keys of one tenant share the hash tag `{id}`, shared structures a tag that
 * no tenant id can be (`{@…}`), so that one script works on Redis, Sentinel and Cluster alike.
 */
export class Keys {
  readonly tenants: string
  /** In the slot of the index of tenants, so that neither is lost without the other. */
  readonly epoch: string
  /** The checksum of the backup that is being restored; there only until that is done. */
  readonly restore: string
  readonly restricted: string
  readonly ownerNames: string
  readonly ownerIndex: string
  /** Counts the claims that were ever written. */
  readonly ownerVersion: string
  /** Domain → the tenant that it leaves, while a move is under way. */
  readonly ownerMoves: string
  readonly connectors: string
  readonly connectorsToken: string
  readonly connectorIdentities: string
  /** The pub/sub channel of every change. */
  readonly changes: string

  /** @param prefix what every key starts with; must not hold `{` or `}`. */
  constructor(readonly prefix: string) {
    this.tenants = `${prefix}{@tenants}`
    this.epoch = `${prefix}{@tenants}:epoch`
    this.restore = `${prefix}{@tenants}:restore`
    this.restricted = `${prefix}{@restricted}`
    this.ownerNames = `${prefix}{@owners}:names`
    this.ownerIndex = `${prefix}{@owners}:index`
    this.ownerVersion = `${prefix}{@owners}:version`
    this.ownerMoves = `${prefix}{@owners}:moves`
    this.connectors = `${prefix}{@connectors}`
    this.connectorsToken = `${prefix}{@connectors}:token`
    this.connectorIdentities = `${prefix}{@connectors}:identities`
    this.changes = `${prefix}changes`
  }

  tenant(id: string): string {
    return `${this.prefix}{${id}}`
  }

  domains(id: string): string {
    return `${this.prefix}{${id}}:domains`
  }

  usage(id: string): string {
    return `${this.prefix}{${id}}:usage`
  }

  restriction(id: string): string {
    return `${this.prefix}{${id}}:restriction`
  }

  /** @param transaction Haraka's transaction uuid. */
  receipt(id: string, transaction: string): string {
    return `${this.prefix}{${id}}:receipt:${transaction}`
  }
}

/**
 * The prefix of the keys, as an operator gives it.
 *
 * @param option stands before the value in the message.
 * @throws {InputError} where it would make a hash tag of its own.
 */
export function keyPrefix(text: string, option = ''): string {
  if (!/[{}\s\p{C}]/u.test(text)) return text
  throw new InputError(
    `${option}"${text}" must hold no space, nothing invisible and none of { }, which mark the hash tag of a key`,
  )
}
