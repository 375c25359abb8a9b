import { createRequire } from 'node:module'
import path from 'node:path'
import { cores } from '../../scripts/services/haraka-site'
import type { HarakaAddress } from '../../src/names/envelope'

/** What the tests use of an address of @haraka/email-address. */
export interface CurrentAddress extends HarakaAddress {
  host: string
  format(punycode?: boolean): string
}

/** The parsers that each Haraka itself loads. The types of one are those of an ES module, so we load as Haraka does. */
const of = (version: keyof typeof cores) => createRequire(path.join(cores[version], 'haraka.js'))

export const { Address: OldAddress } = of('3.1.7')('address-rfc2821') as {
  Address: new (text: string) => CurrentAddress
}
export const { Address: CurrentAddress, asLegacy } = of('3.3.4')('@haraka/email-address') as {
  Address: new (text: string, options?: { postel: boolean }) => CurrentAddress
  asLegacy: (address: CurrentAddress) => HarakaAddress
}

/** How each Haraka makes what the hooks get of what stands behind `FROM:`; throws where it answers 501. */
export const LIBRARIES: Readonly<Record<string, (text: string) => HarakaAddress>> = {
  'Haraka 3.1': (text) => new OldAddress(text),
  'Haraka 3.2': (text) => asLegacy(new CurrentAddress(text)),
  'Haraka 3.3': (text) => new CurrentAddress(text),
  'Haraka 3.3 with postel': (text) => new CurrentAddress(text, { postel: true }),
}
