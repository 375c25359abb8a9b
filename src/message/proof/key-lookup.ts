import { getServers } from 'node:dns'
import { Resolver } from 'node:dns/promises'
import type { Reason } from './finding'
import { readKey, type Key } from './key'
import { DNS_TIMEOUT, DNS_TRIES } from './limits'
import type { Signature } from './signature'

/** RFC 6376 §3.6.2.1 */
const nameOf = (selector: string, domain: string): string => `${selector}._domainkey.${domain}`

/**
 * The keys for one message, each looked up once. Nothing is kept for the next message: the resolver of the system does
 * that, by the lifetime that the record itself has.
 */
export class KeyLookup {
  readonly #resolver: Resolver
  readonly #keys = new Map<string, Promise<Key | Reason>>()

  /** @param timeout see {@link DNS_TIMEOUT}. */
  constructor(timeout = DNS_TIMEOUT) {
    this.#resolver = new Resolver({ timeout, tries: DNS_TRIES })
    // A resolver of its own can be cancelled alone, but starts with the servers of the system, not of the process.
    this.#resolver.setServers(getServers())
  }

  /** Never rejects. */
  key({ selector, domain }: Signature): Promise<Key | Reason> {
    const name = nameOf(selector, domain).toLowerCase()
    let key = this.#keys.get(name)
    if (!key) this.#keys.set(name, (key = this.#ask(name)))
    return key
  }

  /** For mailauth, which asks for the keys of all signatures that it finds: those alone that were looked up and are good. */
  readonly known = async (name: string): Promise<string[][]> => {
    const key = await this.#keys.get(name.toLowerCase().replace(/\.$/, ''))
    if (typeof key === 'object') return [[key.record]]
    throw Object.assign(new Error(`no key at ${name}`), { code: 'ENODATA' })
  }

  /** Gives up what is still being asked for. */
  cancel(): void {
    this.#resolver.cancel()
  }

  async #ask(name: string): Promise<Key | Reason> {
    try {
      const records = await this.#resolver.resolveTxt(name)
      // RFC 6376 §3.6.2.2: with several records it is not defined which one is the key.
      const [record, ...others] = records.map((strings) => strings.join(''))
      return record === undefined || others.length > 0 ? 'no key' : readKey(record)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      return code === 'ENOTFOUND' || code === 'ENODATA' ? 'no key' : 'dns failure'
    }
  }
}
