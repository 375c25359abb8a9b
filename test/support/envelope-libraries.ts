import { createRequire } from 'node:module'
import path from 'node:path'
import { cores } from '../../scripts/services/haraka-site'
import type { HarakaAddress } from '../../src/names/envelope'

/** The parts of an @haraka/email-address address that the tests use. */
export interface CurrentAddress extends HarakaAddress {
  host: string
  format(punycode?: boolean): string
}

/** The parsers of each Haraka version, loaded as Haraka loads them: the types of one are for an ES module. */
const of = (version: keyof typeof cores) => createRequire(path.join(cores[version], 'haraka.js'))

export const { Address: OldAddress } = of('3.1.7')('address-rfc2821') as {
  Address: new (text: string) => CurrentAddress
}
export const { Address: CurrentAddress, asLegacy } = of('3.3.4')('@haraka/email-address') as {
  Address: new (text: string, options?: { postel: boolean }) => CurrentAddress
  asLegacy: (address: CurrentAddress) => HarakaAddress
}

/** How each Haraka parses the text after `FROM:` for the hooks; throws where it answers 501. */
export const LIBRARIES: Readonly<Record<string, (text: string) => HarakaAddress>> = {
  'Haraka 3.1': (text) => new OldAddress(text),
  'Haraka 3.2': (text) => asLegacy(new CurrentAddress(text)),
  'Haraka 3.3': (text) => new CurrentAddress(text),
  'Haraka 3.3 with postel': (text) => new CurrentAddress(text, { postel: true }),
}
